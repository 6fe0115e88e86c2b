/** Reads the mails to one recipient, newest first. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { mailboxKey, readAddresses } from '../mail/address.ts';
import { timeOf } from '../mail/story.ts';
import { newestFirst } from '../recording/day-index.ts';
import { EVENT_ENTRY_PREFIX } from '../recording/entries.ts';
import { type EventRow, eventsIn, failuresIn, readBounces, readLogRows, textOf } from './story.ts';
import { sentLogByDay, type Tables } from './tables.ts';

/** A mail to the recipient. */
export interface RecipientMail {
  readonly messageId: string;
  readonly log?: Row | undefined;
  /** The events of this recipient, newest first. */
  readonly events: readonly EventRow[];
  readonly bounces: readonly Row[];
}

/** For each form of the address, the position in its partition of the index. */
export type HistoryCursor = (Record<string, string> | 'end' | null)[];

export interface History {
  /** Newest first. */
  readonly mails: readonly RecipientMail[];
  /** The position of the older events; undefined if all were read. */
  readonly cursor?: HistoryCursor | undefined;
  /** The time back to which all events were read; undefined if there are no older ones. Older mails may lack events. */
  readonly back?: string | undefined;
}

/** Events of a page. Their log rows fit into one batch, and so do their Bounce rows. */
const PAGE_EVENTS = 100;

/**
 * Reads a page of the events of one recipient, newest first, by the index byRecipient, and the log rows of their mails.
 * One query per form of the address, one batch for the log rows, and one for the failures.
 *
 * @param keys every form of the address; see mailboxKeys
 */
export async function readHistory(tables: Tables, keys: readonly string[], cursor?: HistoryCursor): Promise<History> {
  const pages = await Promise.all(keys.map((key, n) => readEvents(tables, key, cursor?.[n] ?? null)));
  const events = new Map<string, EventRow[]>();
  for (const event of pages.flatMap((page) => page.events).sort(byEntryDescending)) {
    const messageId = String(event['messageId']);
    const known = events.get(messageId);
    if (known) known.push(event);
    else events.set(messageId, [event]);
  }
  const [logs, bounces] = await Promise.all([
    readLogRows(tables, [...events.keys()]),
    readBounces(tables, failuresIn([...events.values()].flat())),
  ]);
  const logOf = new Map(logs.map((row) => [String(row['messageId']), row]));
  const mails = Array.from(events, ([messageId, own]) => {
    const ids = new Set(own.map(({ fullMessageId }) => fullMessageId));
    return {
      messageId,
      log: logOf.get(messageId),
      events: own,
      bounces: bounces.filter((row) => ids.has(textOf(row['fullMessageId']))),
    };
  });
  const positions = pages.map(({ position }) => position);
  const ended = positions.every((position) => position === 'end');
  const oldest = pages.flatMap((page) => (page.position === 'end' ? [] : page.events.slice(-1))).map(timeOf);
  return {
    mails: mails.sort(byTimeDescending),
    ...(!ended && {
      cursor: positions,
      back: oldest
        .filter((time) => time !== undefined)
        .sort()
        .at(-1),
    }),
  };
}

const byEntryDescending = (a: EventRow, b: EventRow) => (a.entry < b.entry ? 1 : -1);

/** When a mail was sent: by its log row, else by its first event. */
const sentAtOf = ({ log, events }: Pick<RecipientMail, 'log' | 'events'>): string =>
  textOf(log?.['sentAt']) ?? events.map(timeOf).findLast((time) => time !== undefined) ?? '';

async function readEvents(
  { client, sentLog }: Tables,
  recipient: string,
  position: HistoryCursor[number],
  limit = PAGE_EVENTS,
): Promise<{ events: EventRow[]; position: HistoryCursor[number] }> {
  if (position === 'end') return { events: [], position };
  const { Items = [], LastEvaluatedKey } = await client.send(
    new QueryCommand({
      TableName: sentLog,
      IndexName: 'byRecipient',
      KeyConditionExpression: '#recipient = :recipient AND begins_with(#entry, :prefix)',
      ExpressionAttributeNames: { '#recipient': 'recipient', '#entry': 'entry' },
      ExpressionAttributeValues: { ':recipient': recipient, ':prefix': EVENT_ENTRY_PREFIX },
      ScanIndexForward: false,
      Limit: limit,
      ...(position !== null && { ExclusiveStartKey: position }),
    }),
  );
  return {
    events: eventsIn(Items),
    position: LastEvaluatedKey
      ? Object.fromEntries(Object.entries(LastEvaluatedKey).map(([name, value]) => [name, String(value)]))
      : 'end',
  };
}

const RECENT_DAYS = 3;
const RECENT_MAILS = 3_000;

/** The mails that were logged lately, with or without events. */
export interface RecentMails {
  /** Log rows that name the recipient in `to`, newest first. */
  readonly logs: readonly Row[];
  /** All addresses in `to` of the rows that were read. */
  readonly seen: ReadonlySet<string>;
  /** The time back to which rows were read; ISO 8601. */
  readonly back: string;
}

/**
 * Looks for mails to the recipient that have no event, and so are in no index by recipient. It reads the newest log
 * rows by the index byDay: at most 3,000, of at most three days, so that the number of requests is limited. That index
 * has no cc and no bcc.
 */
export async function readRecentMails(tables: Tables, keys: readonly string[], nowMs: number): Promise<RecentMails> {
  const seen = new Set<string>();
  const { rows, back } = await newestFirst(sentLogByDay(tables), {
    to: new Date(nowMs).toISOString(),
    limit: RECENT_MAILS,
    maxRead: RECENT_MAILS,
    maxDays: RECENT_DAYS,
    keep: ({ to }) => {
      const mailboxes = readAddresses(to).map(({ email }) => mailboxKey(email));
      for (const mailbox of mailboxes) seen.add(mailbox);
      return mailboxes.some((mailbox) => keys.includes(mailbox));
    },
  });
  return { logs: rows, seen, back };
}

/**
 * The mails of {@link readRecentMails} that have no event.
 *
 * @param history the first page of the recipient's history. Older mails are left out, because they may have events
 */
export function silentMails({ logs }: RecentMails, { mails, back }: History): RecipientMail[] {
  const known = new Set(mails.map(({ messageId }) => messageId));
  return logs
    .map((log) => ({ messageId: String(log['messageId']), log, events: [], bounces: [] }))
    .filter((mail) => !known.has(mail.messageId) && (back === undefined || sentAtOf(mail) > back));
}

/** Newest first. */
export const byTimeDescending = (a: RecipientMail, b: RecipientMail): number => (sentAtOf(a) < sentAtOf(b) ? 1 : -1);

/** Whether any mail to the recipient has an event. */
export async function hasHistory(tables: Tables, keys: readonly string[]): Promise<boolean> {
  const pages = await Promise.all(keys.map((key) => readEvents(tables, key, null, 1)));
  return pages.some(({ events }) => events.length > 0);
}
