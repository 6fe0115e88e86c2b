/** Finds messages without any event. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import { newestFirst } from '../recording/day-index.ts';
import { EVENT_ENTRY_PREFIX } from '../recording/entries.ts';
import { sentLogByDay, type Tables } from './tables.ts';

const DAY_MS = 86_400_000;
/** Limits the number of requests: one query is made per message. */
const MAX_MESSAGES = 200;

export interface NoNews {
  /** Log rows of messages without any event. */
  readonly silent: readonly Row[];
  readonly looked: number;
  /** Whether that day has more messages. */
  readonly more: boolean;
}

/** Looks at the newest 200 messages of one day: the day that ended `noNewsHours` ago. */
export async function readNoNews(tables: Tables, nowMs: number): Promise<NoNews> {
  const toMs = nowMs - tables.noNewsHours * 3_600_000;
  const { rows, cursor } = await newestFirst(sentLogByDay(tables), {
    from: new Date(toMs - DAY_MS).toISOString(),
    to: new Date(toMs).toISOString(),
    limit: MAX_MESSAGES,
  });
  const silent: Row[] = [];
  await forEachConcurrently(rows, async (row) => {
    const { Count } = await tables.client.send(
      new QueryCommand({
        TableName: tables.sentLog,
        KeyConditionExpression: '#messageId = :messageId AND begins_with(#entry, :prefix)',
        ExpressionAttributeNames: { '#messageId': 'messageId', '#entry': 'entry' },
        ExpressionAttributeValues: { ':messageId': row['messageId'], ':prefix': EVENT_ENTRY_PREFIX },
        Limit: 1,
      }),
    );
    if (Count === 0) silent.push(row);
  });
  return { silent, looked: rows.length, more: cursor !== undefined };
}
