/** Deletes expired items. */
import { DeleteItemCommand, type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import type { LocalTable } from './create-tables.ts';

/** DynamoDB ignores a TTL value that is more than five years old (Developer Guide, "Time to Live"). */
const MAX_AGE_SECONDS = 5 * 365 * 24 * 60 * 60;

/**
 * Deletes the expired items of a table, which the engine never does by itself.
 *
 * @param nowSeconds Unix seconds
 * @param signal stops the work between two items
 * @returns how many were deleted.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
 */
export async function deleteExpiredItems(
  client: DynamoDBClient,
  table: LocalTable,
  nowSeconds: number,
  signal?: AbortSignal,
): Promise<number> {
  if (table.timeToLiveAttribute === undefined) return 0;
  let deleted = 0;
  const expired = {
    TableName: table.name,
    ExpressionAttributeNames: { '#expires': table.timeToLiveAttribute },
    ExpressionAttributeValues: {
      ':oldest': { N: String(nowSeconds - MAX_AGE_SECONDS) },
      ':now': { N: String(nowSeconds) },
    },
  };
  for await (const page of paginateScan(
    { client },
    { ...expired, FilterExpression: '#expires BETWEEN :oldest AND :now' },
  )) {
    for (const item of page.Items ?? []) {
      if (signal?.aborted) return deleted;
      const key = Object.fromEntries(Object.entries(item).filter(([name]) => table.keyAttributes.includes(name)));
      // The condition, because its TTL may have been extended since the scan.
      await client
        .send(new DeleteItemCommand({ ...expired, Key: key, ConditionExpression: '#expires BETWEEN :oldest AND :now' }))
        .then(() => deleted++)
        .catch((error: unknown) => {
          if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException') throw error;
        });
    }
  }
  return deleted;
}
