/** The tables of a stack, their indexes by day, and how to read a partition. */
import { type DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import type { DayIndex } from '../recording/day-index.ts';

/** The tables of a stack, and the setting that says how to read them. */
export interface Tables {
  /** After this many hours a message without any event is "no news". */
  readonly noNewsHours: number;
  readonly client: DynamoDBDocumentClient;
  readonly mail: string;
  readonly sentLog: string;
  readonly bounce: string;
}

export const sentLogByDay = ({ client, sentLog }: Tables): DayIndex => ({
  client,
  table: sentLog,
  time: 'sentAt',
  keys: ['messageId', 'entry'],
});

export const bounceByDay = ({ client, bounce }: Tables): DayIndex => ({
  client,
  table: bounce,
  time: 'occurredAt',
  keys: ['fullMessageId', 'eventId'],
});

/** The rows of one partition, in the order of their sort key, up to a limit. */
export async function queryPartition(
  client: DynamoDBDocumentClient,
  table: string,
  [name, value]: readonly [name: string, value: string],
  limit: number,
): Promise<{ rows: Row[]; more: boolean }> {
  const rows: Row[] = [];
  if (value === '') return { rows, more: false };
  let start: Record<string, unknown> | undefined;
  do {
    const { Items = [], LastEvaluatedKey } = await client.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: '#key = :key',
        ExpressionAttributeNames: { '#key': name },
        ExpressionAttributeValues: { ':key': value },
        Limit: limit - rows.length,
        ExclusiveStartKey: start,
      }),
    );
    rows.push(...Items);
    start = LastEvaluatedKey;
  } while (start !== undefined && rows.length < limit);
  return { rows, more: start !== undefined };
}
