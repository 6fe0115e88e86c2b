/** Sends items again. */
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { isConditionFailure, updateExpression } from '../aws/update.ts';
import { WAITING } from './mail-table.ts';
import { isWaiting } from './stuck.ts';

/**
 * Deletes the status of a Mail item, or touches one that has none: either is a change by which the stream brings it again.
 *
 * @param item as it was found
 * @returns whether it was still so: somebody may have sent or deleted it since, or its stream have taken it up again
 */
export async function sendAgain(
  client: DynamoDBDocumentClient,
  table: string,
  item: Row,
  nowMs: number,
): Promise<boolean> {
  try {
    await client.send(
      new UpdateCommand({
        TableName: table,
        Key: { id: item['id'] },
        ...updateExpression({
          set: { resentAt: new Date(nowMs).toISOString() },
          remove: item['nextAttemptAt'] === undefined ? ['status'] : ['status', 'nextAttemptAt'],
          ...stillAsFound(item),
        }),
      }),
    );
    return true;
  } catch (error) {
    if (isConditionFailure(error)) return false;
    throw error;
  }
}

function stillAsFound({ status, sendingUntil, nextAttemptAt }: Row) {
  if (isWaiting(status)) return WAITING;
  if (status !== 'sending') return { condition: '#status = :found', names: ['status'], values: { found: status } };
  // Not only the status: it is the same while another claim is live, and while the next attempt is waited for.
  const times = Object.entries({ sendingUntil, nextAttemptAt });
  return {
    condition: [
      '#status = :found',
      ...times.map(([name, value]) => (value === undefined ? `attribute_not_exists(#${name})` : `#${name} = :${name}`)),
    ].join(' AND '),
    names: ['status', ...times.map(([name]) => name)],
    values: { found: status, ...Object.fromEntries(times.filter(([, value]) => value !== undefined)) },
  };
}
