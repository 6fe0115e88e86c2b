/** Writes people's decisions about an address: rows of Bounce that suppress or allow it. */
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { mailboxKey } from '../mail/address.ts';
import { storableLine } from '../recording/storable.ts';
import { mailboxKeys } from './lookup.ts';
import { readDeciding, suppressedBy } from './read-suppression.ts';
import type { Suppressed } from './suppression.ts';
import type { Tables } from './tables.ts';

export interface Decision {
  readonly email: string;
  readonly outcome: 'suppressed' | 'allowed';
  readonly reason: string;
  /** Unix milliseconds. */
  readonly atMs: number;
}

/**
 * The row of a decision. It does not expire. It has no `day`, because it is not a failure, and a hundred thousand
 * imported addresses would hide the failures of a day.
 */
export function decisionRow({ email, outcome, reason, atMs }: Decision): Row {
  const toEmail = mailboxKey(email);
  const occurredAt = new Date(atMs).toISOString();
  return {
    fullMessageId: `recipient#${toEmail}`,
    eventId: `decision#${occurredAt}`,
    toEmail,
    occurredAt,
    outcome,
    reason: storableLine(reason),
  };
}

/**
 * Writes a decision. Its time is not before that of the row that decided until now, even if a provider's clock is
 * ahead.
 *
 * @returns whether the address was suppressed before, and whether it is now. Do not read it again: the index may be
 * late
 */
export async function decide(
  tables: Tables,
  decision: Decision,
): Promise<{ readonly before: Suppressed | null; readonly now: Suppressed | null }> {
  const deciding = await readDeciding(tables, mailboxKeys(decision.email));
  const atMs = Math.max(decision.atMs, Date.parse(String(deciding?.['occurredAt'])) || 0);
  const row = decisionRow({ ...decision, atMs });
  await tables.client.send(new PutCommand({ TableName: tables.bounce, Item: row }));
  return { before: suppressedBy(deciding), now: suppressedBy(row) };
}
