/** Reads the mails that were sent and the items that are not, their states and their stories. */
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../../lambda/aws/dynamodb.ts';
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';
import { readAddresses } from '../../lambda/mail/address.ts';
import { providerOf } from '../../lambda/mail/provider.ts';
import { type Recipient, recipientsOf, type StoryEvent, stateAt, statesOf } from '../../lambda/mail/story.ts';
import { eventsIn, readStory, textOf } from '../../lambda/recipients/story.ts';
import { queryPartition, sentLogByDay, type Tables } from '../../lambda/recipients/tables.ts';
import { newestFirst } from '../../lambda/recording/day-index.ts';
import { LOG_ROW_ENTRY } from '../../lambda/recording/entries.ts';
import { isWaiting, nextAttemptOf, oddStatusOf, STANDING_ATTRIBUTES, whyStuck } from '../../lambda/sending/stuck.ts';
import {
  type Answered,
  type Asked,
  bounce,
  type ListedMail,
  type MailItem,
  type RecipientState,
  storyEvent,
} from '../shared/api.ts';
import { boundsOf, dayCursor } from './bounds.ts';
import { WaitingItems } from './waiting.ts';

const PAGE_ROWS = 50;
const MANY_ROWS = 200;
/** The most events of a story that a list reads. The whole story is read when a mail is opened. */
const LIST_EVENTS = 150;

/** The mails that were sent, newest first, each with the states of its recipients. */
export async function mails(
  tables: Tables,
  { filter = {}, many, cursor, range }: Asked<'mails'>,
): Promise<Answered<'mails'>> {
  const bounds = boundsOf(filter, range);
  if (bounds === undefined) return { rows: [] };
  const page = await newestFirst(sentLogByDay(tables), {
    ...bounds,
    cursor: dayCursor(cursor),
    keep: (row) => filter.provider === undefined || providerOf(row) === filter.provider,
    limit: many || range ? MANY_ROWS : PAGE_ROWS,
  });
  const read = page.rows.map(listedMail);
  const states = await statesByMessage(tables, read);
  return { ...page, rows: read.map((mail) => ({ ...mail, ...states.get(mail.messageId) })) };
}

async function statesByMessage(tables: Tables, sent: readonly ListedMail[]) {
  const seen = new Map<string, Pick<ListedMail, 'states' | 'more'>>();
  await forEachConcurrently(sent, async ({ messageId, to, sentAt }) => {
    const { rows, more } = await queryPartition(tables.client, tables.sentLog, ['messageId', messageId], LIST_EVENTS);
    const log = rows.find((row) => row['entry'] === LOG_ROW_ENTRY);
    const recipients = log ? recipientsOf(log) : to.map((address) => ({ ...address, field: 'to' as const }));
    seen.set(messageId, { states: recipientStates(recipients, eventsIn(rows), sentAt, tables), more });
  });
  return seen;
}

function recipientStates(
  recipients: readonly Recipient[],
  events: readonly StoryEvent[],
  sentAt: string,
  { noNewsHours }: Tables,
): RecipientState[] {
  const nowMs = Date.now();
  return statesOf(recipients, events).map(({ event, ...recipient }) => ({
    ...recipient,
    state: stateAt(recipient.state, sentAt, nowMs, noNewsHours),
  }));
}

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

/** By table, the items without a status that were seen. */
const waitingItems = new Map<string, WaitingItems>();

/** An item, without its content. */
function mailItem(row: Row, table: string): MailItem {
  const { status, provider, from, to, subject, messageId, sentAt, resentAt } = row;
  const id = String(row['id']);
  const nowMs = Date.now();
  const [sender] = readAddresses(from);
  const waiting = waitingItems.get(table) ?? new WaitingItems();
  waitingItems.set(table, waiting);
  const waitsLong = waiting.see(id, { isWaiting: isWaiting(status), resentAt }, nowMs);
  return {
    id,
    status: isWaiting(status) ? 'waiting' : String(status),
    provider: textOf(provider),
    ...(sender && { from: sender }),
    to: readAddresses(to),
    subject: subject === undefined ? undefined : String(subject),
    error: textOf(row['error']),
    messageId: textOf(messageId),
    sentAt: textOf(sentAt),
    resentAt: textOf(resentAt),
    stuck: waitsLong ? 'has no status' : whyStuck(row, nowMs),
    nextAttemptAt: nextAttemptOf(row, nowMs),
    odd: oddStatusOf(row),
  };
}

/** The attributes that are read of an item. Its content is not read, because it may be long. */
const LISTED = [...STANDING_ATTRIBUTES, 'provider', 'from', 'to', 'subject', 'sentAt', 'resentAt'];

/** The items that are not sent. No index has them, so each call scans one megabyte of the table. */
export async function unsent(tables: Tables, { cursor }: Asked<'unsent'>): Promise<Answered<'unsent'>> {
  const { Items, ScannedCount, LastEvaluatedKey } = await tables.client.send(
    new ScanCommand({
      TableName: tables.mail,
      FilterExpression: 'NOT (#status = :sent AND (attribute_exists(#messageId) OR attribute_exists(#error)))',
      ProjectionExpression: LISTED.map((name) => `#${name}`).join(', '),
      ExpressionAttributeNames: Object.fromEntries(LISTED.map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: { ':sent': 'sent' },
      ...(cursor && 'key' in cursor && { ExclusiveStartKey: cursor.key }),
    }),
  );
  return {
    items: (Items ?? []).map((item) => mailItem(item, tables.mail)),
    looked: ScannedCount ?? 0,
    ...(LastEvaluatedKey && { cursor: { key: { id: String(LastEvaluatedKey['id']) } } }),
  };
}

function loggedMail(row: Row, events: readonly StoryEvent[], tables: Tables): ListedMail {
  const mail = listedMail(row);
  return { ...mail, states: recipientStates(recipientsOf(row), events, mail.sentAt, tables) };
}

/** All that is known of one mail, by its message id or its item's id. */
export async function story(tables: Tables, asked: Asked<'story'>): Promise<Answered<'story'>> {
  const { log, item, events, bounces, more } = await readStory(tables, asked);
  return {
    ...(log && { log: loggedMail(log, events, tables) }),
    ...(item && { item: mailItem(item, tables.mail) }),
    events: events.map((event) => storyEvent.parse(event)),
    bounces: bounces.map((row) => bounce.parse(row)),
    more,
  };
}
