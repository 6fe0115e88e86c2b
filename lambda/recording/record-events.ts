/** The side of the join on which the events come last: what a post becomes in the tables. */
import { setMaxListeners } from 'node:events';
import { batchGet, batchPut, type Put, type Row } from '../aws/dynamodb.ts';
import { log } from '../aws/log.ts';
import { keyOfContent } from '../mail/content-key.ts';
import type { FailureEvent, MailEvent, ProgressEvent } from '../mail/event.ts';
import { jsonText } from '../mail/json.ts';
import { providerOf } from '../mail/provider.ts';
import { LOG_ROW_ENTRY } from './entries.ts';
import type { EventStore } from './event-store.ts';
import { bounceRow, type LoggedMail, loggedMail, type RecordingTime, storyRow, unrecognizedRow } from './rows.ts';

/** What became of the events of a post. `received` is the sum of the others. */
export interface RecordedCounts {
  readonly received: number;
  /** Failures: each has a Bounce row. */
  readonly recorded: number;
  /** Queued, deferred, delivered: each is in the story of its mail. */
  readonly progressed: number;
  readonly ignored: number;
  readonly unrecognized: number;
}

/** The counts, and how many of the failures are about a mail that is not logged yet. */
export interface Recorded extends RecordedCounts {
  readonly unmatched: number;
}

/**
 * Records the events of a post: every failure as a Bounce row joined with its mail, failures and progress in the story
 * of the mail. Recording the same events again, in any order and at any time, changes nothing but `receivedAt`.
 *
 * Why no join is lost: the story has the event before the second, consistent look for the mail. A mail that is logged
 * after that look finds the event in its story, and join-late-events completes the row.
 *
 * @param signal ends the work; what was recorded until then stays, and is recorded again with the next try
 * @throws whatever the SDK throws after its retries, and the signal's reason
 */
export async function recordEvents(
  events: readonly MailEvent[],
  time: RecordingTime,
  store: EventStore,
  signal: AbortSignal,
): Promise<Recorded> {
  // Every request under way listens to it; Node warns of a leak from the eleventh on.
  setMaxListeners(0, signal);
  const failures = events.filter((event) => event.kind === 'failure');
  const progress = events.filter((event) => event.kind === 'progress');
  const unrecognized = events.filter((event) => event.kind === 'unrecognized');

  // Where a provider names a mail in two ways, only a look tells in whose story the event belongs.
  const toFind = [...failures, ...progress.filter(({ messageIds }) => messageIds.length > 1)];
  const mails = await findMails(toFind, { consistent: false }, store, signal);
  await put([
    ...failures.map((event) => bouncePut(event, mailOf(event, mails))),
    ...unrecognized.map((event) => ({ table: store.bounceTable, row: unrecognizedRow(event, time) })),
    ...[...failures, ...progress].flatMap((event) => storyPuts(event, mails)),
  ]);

  const unmatched = failures.filter((event) => !mailOf(event, mails));
  const lateMails = await findMails(unmatched, { consistent: true }, store, signal);
  const late = unmatched.filter((event) => mailOf(event, lateMails));
  await put(late.map((event) => bouncePut(event, mailOf(event, lateMails))));

  return {
    received: events.length,
    recorded: failures.length,
    progressed: progress.length,
    ignored: events.length - failures.length - progress.length - unrecognized.length,
    unrecognized: unrecognized.length,
    unmatched: unmatched.length - late.length,
  };

  function bouncePut(event: FailureEvent, mail: LoggedMail | undefined): Put {
    return { table: store.bounceTable, row: bounceRow(event, mail, time) };
  }

  function storyPuts(event: FailureEvent | ProgressEvent, found: Mails): Put[] {
    const mail = mailOf(event, found);
    const stories = mail ? [mail.messageId] : event.messageIds;
    return stories.map((messageId) => ({ table: store.sentLogTable, row: storyRow(event, messageId, time) }));
  }

  async function put(puts: readonly Put[]): Promise<void> {
    const invalid = await batchPut(store.client, withoutRepeated(puts), signal);
    if (invalid.length === 0) return;
    // Never expected: rows are made within DynamoDB's limits. What it still does not take is kept as text.
    log('error', 'DynamoDB does not take some rows: they are kept as unrecognized', {
      rows: invalid.length,
      errors: [...new Set(invalid.map(({ error }) => error.name))],
    });
    const asText = invalid.map(({ put: { row } }) => ({ table: store.bounceTable, row: rowAsText(row, time) }));
    const [stillInvalid] = await batchPut(store.client, asText, signal);
    if (stillInvalid) throw stillInvalid.error;
  }
}

function rowAsText(row: Row, time: RecordingTime): Row {
  // Not of the whole row: when it came differs from one delivery to the next.
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

/** The mails that these events may be about, by the message id under which they are logged. */
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

/** A batch with one key twice is refused. Two events of one key are the same event. */
function withoutRepeated(puts: readonly Put[]): Put[] {
  const byKey = new Map<string, Put>();
  for (const put of puts) byKey.set(keyOf(put.row), put);
  return [...byKey.values()];
}

function keyOf(row: Row): string {
  const parts =
    'entry' in row ? ['story', row['messageId'], row['entry']] : ['bounce', row['fullMessageId'], row['eventId']];
  return JSON.stringify(parts);
}
