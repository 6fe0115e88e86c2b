/** Reads the bounces of a period, a recipient or a mail. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../../lambda/aws/dynamodb.ts';
import { mailboxKey } from '../../lambda/mail/address.ts';
import { sendGridMessageId } from '../../lambda/mail/message-id.ts';
import { readBounces } from '../../lambda/recipients/story.ts';
import { bounceByDay, queryPartition, type Tables } from '../../lambda/recipients/tables.ts';
import { newestFirst } from '../../lambda/recording/day-index.ts';
import { failuresInStory } from '../../lambda/recording/late-join.ts';
import { type Answered, type Asked, type BounceFilter, bounce, bounceKey, type Cursor } from '../shared/api.ts';
import { boundsOf, dayCursor } from './bounds.ts';

const PAGE_ROWS = 100;
const RANGE_ROWS = 300;
/** More for one recipient, because its rows are in one partition. */
const RECIPIENT_PAGE_ROWS = 300;
const MAX_OF_ONE_MAIL = 1_000;

/** Bounce rows, newest first, by the index that fits what is asked. */
export async function bounces(tables: Tables, asked: Asked<'bounces'>): Promise<Answered<'bounces'>> {
  const { filter, cursor, range } = asked;
  const search = filter.search?.trim() ?? '';
  const times = boundsOf(filter, range);
  if (times === undefined) return { rows: [] };
  const bounds = { ...times, cursor, keep: (row: Row) => isWanted(row, filter) };
  const page =
    search === ''
      ? await newestFirst(bounceByDay(tables), {
          ...bounds,
          cursor: dayCursor(cursor),
          limit: range ? RANGE_ROWS : PAGE_ROWS,
        })
      : isAddress(search)
        ? await ofRecipient(tables, mailboxKey(search), bounds)
        : await ofMail(tables, search, bounds);
  return { ...page, rows: page.rows.map((row) => bounce.parse(row)) };
}

/**
 * Whether a search text is an address, not a message id. Message ids of SMTP also contain `@`, but have angle brackets. In
 * full message ids, `#` and a recipient follow. In an address, `#` comes only before the `@`.
 */
const isAddress = (search: string) => /^(?:"[^<]*"|[^@<]+)@[^@#]+$/.test(search);

function isWanted(row: Row, { outcome, bounceClass, cause, provider }: BounceFilter): boolean {
  return (
    (outcome === undefined || row['outcome'] === outcome) &&
    (bounceClass === undefined || row['bounceClass'] === bounceClass) &&
    (cause === undefined || row['cause'] === cause) &&
    (provider === undefined || row['provider'] === provider)
  );
}

interface Bounds {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly cursor: Cursor | undefined;
  readonly keep: (row: Row) => boolean;
}

async function ofRecipient(tables: Tables, recipient: string, bounds: Bounds) {
  const { from = '0', to = '9', cursor, keep } = bounds;
  const { Items = [], LastEvaluatedKey } = await tables.client.send(
    new QueryCommand({
      TableName: tables.bounce,
      IndexName: 'byRecipient',
      KeyConditionExpression: '#to = :to AND #time BETWEEN :from AND :until',
      ExpressionAttributeNames: { '#to': 'toEmail', '#time': 'occurredAt' },
      ExpressionAttributeValues: { ':to': recipient, ':from': from, ':until': to },
      ScanIndexForward: false,
      Limit: RECIPIENT_PAGE_ROWS,
      ...(cursor && 'key' in cursor && { ExclusiveStartKey: cursor.key }),
    }),
  );
  const key = LastEvaluatedKey && Object.fromEntries(Object.entries(LastEvaluatedKey).map(([k, v]) => [k, String(v)]));
  return { rows: Items.filter(keep), ...(key && { cursor: { key }, back: key['occurredAt'] }) };
}

async function ofMail(tables: Tables, id: string, { from = '0', to = '9', keep }: Bounds) {
  const store = { client: tables.client, sentLogTable: tables.sentLog, bounceTable: tables.bounce };
  const ids = new Set([id, sendGridMessageId(id)].filter((text) => text !== ''));
  const found = new Map<string, Row>();
  for (const messageId of ids) {
    const own = await queryPartition(tables.client, tables.bounce, ['fullMessageId', messageId], MAX_OF_ONE_MAIL);
    const failures = await failuresInStory(messageId, store);
    const keys = new Map(failures.map((failure) => [bounceKey(failure), failure]));
    const joined = await readBounces(tables, [...keys.values()]);
    for (const row of [...own.rows, ...joined]) found.set(bounceKey(row), row);
  }
  const time = (row: Row) => String(row['occurredAt']);
  const rows = [...found.values()].filter((row) => keep(row) && time(row) >= from && time(row) <= to);
  return { rows: rows.sort((a, b) => (time(a) < time(b) ? 1 : -1)) };
}
