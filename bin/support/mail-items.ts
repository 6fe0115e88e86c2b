/** Reads the items of Mail that are not sent, for the commands that look for stuck ones. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBDocumentClient, GetCommand, paginateScan } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../../lambda/aws/dynamodb.ts';
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';
import { isWaiting, STANDING_ATTRIBUTES } from '../../lambda/sending/stuck.ts';

const PROJECTION = {
  ProjectionExpression: STANDING_ATTRIBUTES.map((name) => `#${name}`).join(', '),
  ExpressionAttributeNames: Object.fromEntries(STANDING_ATTRIBUTES.map((name) => [`#${name}`, name])),
};

export interface ItemPage {
  /** The items that are not sent: the attributes that say why, without the content. */
  readonly items: readonly Row[];
  /** How many items were looked at, also those that are sent. */
  readonly looked: number;
  readonly isLast: boolean;
}

/** Scans Mail in pages of 1 MB, because it has no index. */
export async function* itemPages(
  client: DynamoDBDocumentClient,
  table: string,
  { consistent }: { readonly consistent: boolean },
): AsyncIterable<ItemPage> {
  const scan = paginateScan(
    { client },
    {
      TableName: table,
      ConsistentRead: consistent,
      FilterExpression: 'NOT (#status = :sent AND (attribute_exists(#messageId) OR attribute_exists(#error)))',
      ...PROJECTION,
      ExpressionAttributeValues: { ':sent': 'sent' },
    },
  );
  for await (const { Items = [], ScannedCount = 0, LastEvaluatedKey } of scan) {
    yield { items: Items, looked: ScannedCount, isLast: LastEvaluatedKey === undefined };
  }
}

/** One item: the attributes that say why it is not sent. */
export async function readItem(client: DynamoDBDocumentClient, table: string, id: unknown): Promise<Row | undefined> {
  const { Item } = await client.send(
    new GetCommand({ TableName: table, Key: { id }, ConsistentRead: true, ...PROJECTION }),
  );
  return Item;
}

/** The items that still have no status after `waitMs`. */
export async function stillWaiting(
  client: DynamoDBDocumentClient,
  table: string,
  waiting: readonly Row[],
  waitMs: number,
): Promise<Row[]> {
  if (waiting.length === 0) return [];
  await sleep(waitMs);
  const still: Row[] = [];
  await forEachConcurrently(waiting, async ({ id }) => {
    const item = await readItem(client, table, id);
    if (item !== undefined && isWaiting(item['status'])) still.push(item);
  });
  return still;
}
