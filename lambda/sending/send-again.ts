/** Has send-mail send an item again. */
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { isConditionFailure, updateExpression } from '../aws/update.ts';
import { WAITING } from './mail-table.ts';
import { isWaiting } from './stuck.ts';

/**
 * Deletes the status of a Mail item. An item without a status gets only a new `resentAt`. After either change the
 * stream delivers the item again.
 *
 * @param item as it was found
 * @returns false if nothing was changed, because the item is not as it was found
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
  // The status alone is not enough: it stays `sending` if the item was claimed again or deferred in the meantime.
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
