/** Records events, and joins failures with log rows that exist already. */
import { batchGet, batchPut, type Put, type Row } from '../aws/dynamodb.ts';
import { log } from '../aws/log.ts';
import { keyOfContent } from '../mail/content-key.ts';
import type { FailureEvent, MailEvent, ProgressEvent } from '../mail/event.ts';
import { jsonText } from '../mail/json.ts';
import { providerOf } from '../mail/provider.ts';
import { LOG_ROW_ENTRY } from './entries.ts';
import type { EventStore } from './event-store.ts';
import { withStorableKeys } from './keys.ts';
import {
  blocklistedRow,
  bounceRow,
  type LoggedMail,
  loggedMail,
  type RecordingTime,
  storyRow,
  unrecognizedRow,
} from './rows.ts';

/** Events that came in one post. */
export interface ReceivedEvents {
  readonly events: readonly MailEvent[];
  /** When the receiver got the post; Unix milliseconds. */
  readonly receivedAtMs: number;
}

interface TimedPut extends Put {
  readonly time: RecordingTime;
}

/**
 * Records the events of posts. A failure gets a Bounce row, joined with its mail. Failures and progress get a row in
 * the story of their mail. The number of requests depends on the number of events, not of posts. To record the same
 * events again, in any order and at any time, changes nothing except `receivedAt`.
 *
 * Why no join is lost: the event is in the story before the second, consistent look for the mail. If the mail is logged
 * after that look, join-late-events finds the event in the story, and completes the Bounce row.
 *
 * @param retentionDays 0 keeps rows forever
 * @param signal aborts the work. Rows that are written stay, and the next attempt writes them again
 * @returns the failures whose mail is not logged yet
 * @throws the error of the SDK after its own retries, or the reason of the signal
 */
export async function recordEvents(
  posts: readonly ReceivedEvents[],
  retentionDays: number,
  store: EventStore,
  signal: AbortSignal,
): Promise<FailureEvent[]> {
  const times = new Map<MailEvent, RecordingTime>();
  // If an event came twice, the copy that was received last is written.
  for (const { events, receivedAtMs } of posts.toSorted((a, b) => a.receivedAtMs - b.receivedAtMs)) {
    for (const event of events) times.set(withStorableKeys(event), { receivedAtMs, retentionDays });
  }
  const events = [...times.keys()];
  const failures = events.filter((event) => event.kind === 'failure');
  const progress = events.filter((event) => event.kind === 'progress');

  // If a provider names a mail by two ids, only a look for its log row shows which one is the key of its story.
  const toFind = [...failures, ...progress.filter(({ messageIds }) => messageIds.length > 1)];
  const mails = await findMails(toFind, { consistent: false }, store, signal);
  await put([
    ...failures.map((event) => bouncePut(event, mailOf(event, mails))),
    ...events.flatMap(mailLessPut),
    ...[...failures, ...progress].flatMap((event) => storyPuts(event, mails)),
  ]);

  const unmatched = failures.filter((event) => !mailOf(event, mails));
  const lateMails = await findMails(unmatched, { consistent: true }, store, signal);
  await put(
    unmatched.flatMap((event) => {
      const mail = mailOf(event, lateMails);
      return mail ? [bouncePut(event, mail)] : [];
    }),
  );
  return unmatched.filter((event) => !mailOf(event, lateMails));

  function timeOf(event: MailEvent): RecordingTime {
    const time = times.get(event);
    if (time === undefined) throw new Error('Cannot record an event: it came in none of the posts');
    return time;
  }

  function bouncePut(event: FailureEvent, mail: LoggedMail | undefined): TimedPut {
    const time = timeOf(event);
    return { table: store.bounceTable, row: bounceRow(event, mail, time), time };
  }

  /** The row of an event that belongs to no mail. */
  function mailLessPut(event: MailEvent): TimedPut[] {
    const time = timeOf(event);
    if (event.kind === 'unrecognized') return [{ table: store.bounceTable, row: unrecognizedRow(event, time), time }];
    return event.kind === 'blocklisted' ? [{ table: store.bounceTable, row: blocklistedRow(event, time), time }] : [];
  }

  function storyPuts(event: FailureEvent | ProgressEvent, found: Mails): TimedPut[] {
    const time = timeOf(event);
    const mail = mailOf(event, found);
    const stories = mail ? [mail.messageId] : event.messageIds;
    return stories.map((messageId) => ({
      table: store.sentLogTable,
      row: storyRow(event, messageId, time),
      time,
    }));
  }

  async function put(puts: readonly TimedPut[]): Promise<void> {
    const invalid = await batchPut(store.client, withoutRepeated(puts), signal);
    if (invalid.length === 0) return;
    // Not expected, because rows are made within DynamoDB's limits. A row that DynamoDB refuses nevertheless is kept as
    // text.
    log('error', 'Cannot store some rows as they are: DynamoDB rejects them, so they are stored as unrecognized', {
      rows: invalid.length,
      errors: [...new Set(invalid.map(({ error }) => error.name))],
    });
    const asText = invalid.map(({ put: { row, time } }) => ({ table: store.bounceTable, row: rowAsText(row, time) }));
    const [stillInvalid] = await batchPut(store.client, asText, signal);
    if (stillInvalid) throw stillInvalid.error;
  }
}

function rowAsText(row: Row, time: RecordingTime): Row {
  // Not of the whole row, because `receivedAt` differs if the provider repeats the post.
  const key = keyOfContent([row['fullMessageId'], row['eventId'], row['messageId'], row['entry']]);
  return unrecognizedRow(
    { kind: 'unrecognized', provider: providerOf(row), fullMessageId: key, eventId: key, rawEvent: jsonText(row) },
    time,
  );
}

type Mails = ReadonlyMap<string, LoggedMail>;

/** The mail that an event is about, among those that were found. */
export function mailOf(event: Pick<FailureEvent, 'messageIds'>, mails: Mails): LoggedMail | undefined {
  for (const messageId of event.messageIds) {
    const mail = mails.get(messageId);
    if (mail) return mail;
  }
  return undefined;
}

/** Reads the mails that these events may be about, by the message id under which they are logged. */
export async function findMails(
  events: readonly Pick<FailureEvent, 'messageIds'>[],
  { consistent }: { consistent: boolean },
  store: EventStore,
  signal: AbortSignal,
): Promise<Mails> {
  const messageIds = new Set(events.flatMap((event) => event.messageIds));
  const keys = [...messageIds].map((messageId) => ({ messageId, entry: LOG_ROW_ENTRY }));
  const rows = await batchGet(store.client, store.sentLogTable, keys, { consistent, signal });
  return new Map(rows.map((row) => [String(row['messageId']), loggedMail(row)]));
}

/**
 * The last put of each key. DynamoDB refuses a batch that has a key twice. Events with the same key are the same event.
 */
function withoutRepeated(puts: readonly TimedPut[]): TimedPut[] {
  const byKey = new Map<string, TimedPut>();
  for (const put of puts) byKey.set(keyOf(put.row), put);
  return [...byKey.values()];
}

function keyOf(row: Row): string {
  const parts =
    'entry' in row ? ['story', row['messageId'], row['entry']] : ['bounce', row['fullMessageId'], row['eventId']];
  return JSON.stringify(parts);
}
