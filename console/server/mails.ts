/** Mails, their states and their stories. */
import { GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { batchGet, type Row } from '../../lambda/aws/dynamodb.ts';
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';
import { readAddresses } from '../../lambda/mail/address.ts';
import { OUTCOMES } from '../../lambda/mail/verdict.ts';
import { LOG_ROW_ENTRY } from '../../lambda/recording/entries.ts';
import type { StoryFailure } from '../../lambda/recording/late-join.ts';
import { whyStuck } from '../../lambda/sending/stuck.ts';
import {
  type Answered,
  type Asked,
  bounce,
  type ListedMail,
  type MailItem,
  type StoryEvent,
  storyEvent,
} from '../shared/api.ts';
import { statesOf } from '../shared/states.ts';
import { bounceKey, versionOfMail } from '../shared/versions.ts';
import { newestFirst } from './day-index.ts';
import { LOOK, unknownOf } from './look.ts';
import { queryPartition, sentLogByDay, type Tables } from './tables.ts';

const PAGE_ROWS = 50;
/** A glance needs no more of a story; the whole is read where a mail is opened. */
const GLANCE_EVENTS = 150;
const STORY_EVENTS = 4_000;
const TIMEOUT_MS = 15_000;

/** Mails that were sent, newest first, each with how far it got. */
export async function mails(tables: Tables, { cursor, look }: Asked<'mails'>): Promise<Answered<'mails'>> {
  const page = await newestFirst(sentLogByDay(tables), {
    cursor,
    from: look?.from,
    ...(look ? LOOK : { limit: PAGE_ROWS }),
  });
  const read = page.rows.map(listedMail);
  const found = look ? unknownOf(read, look.known, versionOfMail) : { rows: read };
  const glances = await glance(tables, found.rows);
  const rows = found.rows.map((mail) => ({ ...mail, ...glances.get(mail.messageId) }));
  return { ...page, ...found, rows };
}

/** How far mails got by now. */
export async function states(tables: Tables, { messageIds }: Asked<'states'>): Promise<Answered<'states'>> {
  const keys = [...new Set(messageIds)].map((messageId) => ({ messageId, entry: LOG_ROW_ENTRY }));
  const logged = await batchGet(tables.client, tables.sentLog, keys, {
    consistent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const glances = await glance(tables, logged.map(listedMail));
  return { mails: Array.from(glances, ([messageId, seen]) => ({ messageId, ...seen })) };
}

async function glance(tables: Tables, sent: readonly ListedMail[]) {
  const seen = new Map<string, Pick<ListedMail, 'states' | 'more'>>();
  await forEachConcurrently(sent, async ({ messageId, to }) => {
    const { rows, more } = await queryPartition(tables.client, tables.sentLog, ['messageId', messageId], GLANCE_EVENTS);
    const log = rows.find((row) => row['entry'] === LOG_ROW_ENTRY);
    seen.set(messageId, { states: statesOf(log ? recipients(log) : to, eventsOf(rows)), more });
  });
  return seen;
}

const recipients = (row: Row) => [row['to'], row['cc'], row['bcc']].flatMap(readAddresses);
const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);

const eventsOf = (rows: readonly Row[]): StoryEvent[] =>
  rows.filter((row) => row['entry'] !== LOG_ROW_ENTRY).map((row) => storyEvent.parse(row));

function listedMail(row: Row): ListedMail {
  const [from] = readAddresses(row['from']);
  return {
    messageId: String(row['messageId']),
    sentAt: textOf(row['sentAt']) ?? '',
    provider: textOf(row['provider']),
    mailId: textOf(row['mailId']),
    subject: textOf(row['subject']),
    ...(from && { from }),
    to: readAddresses(row['to']),
    states: [],
    more: false,
  };
}

/** An item, without its content. */
function mailItem(row: Row): MailItem {
  const { provider, from, to, subject, messageId, sentAt, resentAt } = row;
  const [sender] = readAddresses(from);
  return {
    id: String(row['id']),
    status: textOf(row['status']) || 'waiting',
    provider: textOf(provider),
    ...(sender && { from: sender }),
    to: readAddresses(to),
    subject: subject === undefined ? undefined : String(subject),
    error: textOf(row['error']),
    messageId: textOf(messageId),
    sentAt: textOf(sentAt),
    resentAt: textOf(resentAt),
    stuck: whyStuck(row, Date.now()),
  };
}

/** What is read of an item: not the content, which may be long. */
const LISTED = [
  'id',
  'status',
  'provider',
  'from',
  'to',
  'subject',
  'error',
  'messageId',
  'sentAt',
  'sendingUntil',
  'resentAt',
];

/** Items that are not sent. There is no index for them: this reads the table, a megabyte a time. */
export async function unsent(tables: Tables, { cursor }: Asked<'unsent'>): Promise<Answered<'unsent'>> {
  const { Items, ScannedCount, LastEvaluatedKey } = await tables.client.send(
    new ScanCommand({
      TableName: tables.mail,
      FilterExpression: 'NOT #status = :sent',
      ProjectionExpression: LISTED.map((name) => `#${name}`).join(', '),
      ExpressionAttributeNames: Object.fromEntries(LISTED.map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: { ':sent': 'sent' },
      ...(cursor && 'key' in cursor && { ExclusiveStartKey: cursor.key }),
    }),
  );
  return {
    items: (Items ?? []).map(mailItem),
    looked: ScannedCount ?? 0,
    ...(LastEvaluatedKey && { cursor: { key: { id: String(LastEvaluatedKey['id']) } } }),
  };
}

/** All that is known of one mail, by its message id or its item's id. */
export async function story(tables: Tables, asked: Asked<'story'>): Promise<Answered<'story'>> {
  const { client } = tables;
  const get = async (TableName: string, Key: Row) => (await client.send(new GetCommand({ TableName, Key }))).Item;
  const itemOf = async (id: string | undefined) => (id ? get(tables.mail, { id }) : undefined);
  let item = await itemOf(asked.id);
  const messageId = asked.messageId ?? textOf(item?.['messageId']) ?? '';
  // Beside the events, which come before the log row and may be more than are read.
  const [{ rows, more }, log] = await Promise.all([
    queryPartition(client, tables.sentLog, ['messageId', messageId], STORY_EVENTS),
    messageId ? get(tables.sentLog, { messageId, entry: LOG_ROW_ENTRY }) : undefined,
  ]);
  item ??= await itemOf(textOf(log?.['mailId']));
  const events = eventsOf(rows);
  return {
    ...(log && { log: { ...listedMail(log), states: statesOf(recipients(log), events) } }),
    ...(item && { item: mailItem(item) }),
    events,
    bounces: await bouncesOf(tables, failuresIn(events)),
    more,
  };
}

const failuresIn = (events: readonly StoryEvent[]) =>
  events.flatMap(({ state, fullMessageId, eventId }) =>
    fullMessageId && eventId && OUTCOMES.some((outcome) => outcome === state) ? [{ fullMessageId, eventId }] : [],
  );

/** The Bounce rows of failures in a story. */
export async function bouncesOf(tables: Tables, failures: readonly StoryFailure[]) {
  const keys = new Map(
    failures.map(({ fullMessageId, eventId }) => {
      const key = { fullMessageId, eventId };
      return [bounceKey(key), key];
    }),
  );
  const rows = await batchGet(tables.client, tables.bounce, [...keys.values()], {
    consistent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return rows.map((row) => bounce.parse(row));
}
