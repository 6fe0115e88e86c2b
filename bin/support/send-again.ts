import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../../lambda/aws/tables.ts';
import { isConditionFailure, updateExpression } from '../../lambda/aws/update.ts';

/**
 * Deletes the status of a Mail item, or touches one that has none: either is a change by which the stream brings it again.
 *
 * @param item as it was found
 * @returns whether it was still so: somebody may have sent or deleted it since
 */
export async function sendAgain(
  client: DynamoDBDocumentClient,
  table: string,
  item: Row,
  nowMs: number,
): Promise<boolean> {
  const waiting = item['status'] === undefined;
  try {
    await client.send(
      new UpdateCommand({
        TableName: table,
        Key: { id: item['id'] },
        ...updateExpression({
          set: { resentAt: new Date(nowMs).toISOString() },
          remove: waiting ? [] : ['status'],
          condition: waiting ? 'attribute_exists(#id) AND attribute_not_exists(#status)' : '#status = :found',
          names: waiting ? ['id', 'status'] : ['status'],
          values: waiting ? {} : { found: item['status'] },
        }),
      }),
    );
    return true;
  } catch (error) {
    if (isConditionFailure(error)) return false;
    throw error;
  }
}
