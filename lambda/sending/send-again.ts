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
          remove: ['status'],
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

function stillAsFound({ status, sendingUntil }: Row) {
  if (isWaiting(status)) return WAITING;
  if (status !== 'sending') return { condition: '#status = :found', names: ['status'], values: { found: status } };
  // Not only the status: it is the same while another claim is live.
  return {
    condition: '#status = :found AND #sendingUntil = :until',
    names: ['status', 'sendingUntil'],
    values: { found: status, until: sendingUntil },
  };
}
