/** Bounce rows as the recorder writes them, put directly into the table. */
import { expect } from 'vitest';
import { parseOutputs } from '../../bin/support/outputs.ts';
import { documentClientOf } from '../../bin/support/stack-tables.ts';
import { batchPut } from '../../lambda/aws/dynamodb.ts';
import { dayKey } from '../../lambda/recording/keys.ts';
import type { RunningStack } from '../end-to-end/running-stack.ts';

/** The row of a bounce from a mailbox that does not exist. */
export function bounceOf(id: string, occurredMs: number, change: Readonly<Record<string, unknown>> = {}) {
  const occurredAt = new Date(occurredMs).toISOString();
  return {
    fullMessageId: id,
    eventId: 'event',
    messageId: id,
    provider: 'sendgrid',
    outcome: 'bounced',
    bounceClass: 'hard',
    cause: 'address-unknown',
    reason: '550 5.1.1 User unknown',
    toEmail: `${id}@example.jp`,
    subject: `Subject of ${id}`,
    matched: true,
    occurredAt,
    day: dayKey(occurredAt, id),
    ...change,
  };
}

/** Writes many Bounce rows, several at a time. */
export const writeBounces = (stack: RunningStack, rows: readonly object[]): Promise<void> =>
  writeRows(stack, 'BounceTableName', rows);

/** Writes many rows of a table, several at a time. */
export async function writeRows(
  { local }: RunningStack,
  table: 'BounceTableName' | 'SentLogTableName',
  rows: readonly object[],
): Promise<void> {
  const outputs = parseOutputs(local.outputs);
  const client = documentClientOf(outputs);
  for (let start = 0; start < rows.length; start += 250) {
    const puts = rows.slice(start, start + 250).map((row) => ({ table: outputs[table], row: { ...row } }));
    expect(await batchPut(client, puts, AbortSignal.timeout(60_000))).toEqual([]);
  }
}
