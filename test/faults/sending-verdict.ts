/** What must be true of a mail at the end, derived from what the providers took and what the tables hold. */
import type { Row } from '../../lambda/aws/dynamodb.ts';
import type { Provider } from '../../lambda/mail/provider.ts';
import { LOG_ROW_ENTRY } from '../../lambda/recording/entries.ts';
import { ALL_SUPPRESSED } from '../../lambda/sending/stuck.ts';
import type { Verdict } from './expected-rows.ts';
import type { Refused, Taken } from './providers.ts';
import { isSuppressed } from './sending-cases.ts';

/** Deliveries at the same time, and the circumstances. */
export interface Round {
  /** Storage is unavailable until the end of the round. */
  readonly outage: boolean;
  /** The processes that were killed in the round. */
  readonly killed: Set<string>;
  /** The mails that were sent or failed at the end of the round. */
  readonly ended: Set<string>;
}

export type InRound<Fact> = Fact & { readonly round: Round };
export type Taking = InRound<Taken>;
export type Refusal = InRound<Refused>;

/** What happened to one mail. */
export interface SentFacts {
  readonly id: string;
  readonly provider: Provider;
  readonly recipients: readonly string[];
  readonly takings: readonly Taking[];
  readonly refusals: readonly Refusal[];
  /** The record was acknowledged before the mail was sent or failed. */
  readonly leftAlone: boolean;
  /** DynamoDB refused to write its item. The item may then be left alone, and may lack what has no room. */
  readonly refusedItem: boolean;
}

/** What the tables hold, by mail. */
export interface SentRows {
  readonly items: ReadonlyMap<string, Row>;
  readonly logRows: ReadonlyMap<string, readonly Row[]>;
  /** By the message id of the story. */
  readonly failedEvents: ReadonlyMap<string, readonly Row[]>;
  readonly droppedEvents: ReadonlyMap<string, readonly Row[]>;
}

const MAX_ATTEMPTS = 5;

export function sentRows(items: readonly Row[], sentLog: readonly Row[]): SentRows {
  const byName = (rows: readonly Row[], name: string) => grouped(rows, (row) => String(row[name]));
  return {
    items: new Map(items.map((item) => [String(item['id']), item])),
    logRows: byName(
      sentLog.filter(({ entry }) => entry === LOG_ROW_ENTRY),
      'mailId',
    ),
    failedEvents: byName(
      sentLog.filter(({ state }) => state === 'failed'),
      'messageId',
    ),
    droppedEvents: byName(
      sentLog.filter(({ state }) => state === 'dropped'),
      'messageId',
    ),
  };
}

export function sendingVerdict(mails: readonly SentFacts[], rows: SentRows, crashes: readonly string[]): Verdict {
  const verdicts = mails.map((mail) => verdictOfMail(mail, rows));
  return {
    lost: verdicts.flatMap(({ lost }) => lost),
    doubled: verdicts.flatMap(({ doubled }) => doubled),
    wrong: [...verdicts.flatMap(({ wrong }) => wrong), ...crashes.map((crash) => `a process ended: ${crash}`)],
  };
}

function verdictOfMail(mail: SentFacts, rows: SentRows): Verdict {
  const { id, provider, takings, leftAlone, refusedItem } = mail;
  const item = rows.items.get(id) ?? {};
  const logRows = rows.logRows.get(id) ?? [];
  const logged = new Set(logRows.map(({ messageId }) => messageId));
  const known = takings.filter((taking) => !mayComeAgain(taking, id));
  const status = item['status'];
  const error = item['error'];
  const says = (words: string) => typeof error === 'string' && error.includes(words);
  const found = new Findings(id);

  found.lostIf(status !== 'sent' && status !== 'failed', `is ${status} in the end`);
  found.lostIf(leftAlone && !refusedItem, 'was left alone before it had come to an end');
  // If the sender chooses the Message-ID, it writes the log row before the handover.
  for (const { messageId } of provider === 'sendgrid' ? known : takings) {
    found.lostIf(!logged.has(messageId) && !says('could not be logged'), `has no log row for ${messageId}`);
  }
  found.doubledIf(known.length > 1, `was taken ${takings.length} times, ${known.length} of them without need`);

  const messageIds = new Set(takings.map(({ messageId }) => messageId));
  if (provider === 'sendgrid') {
    for (const messageId of logged) found.wrongIf(!messageIds.has(String(messageId)), `${messageId} was never taken`);
  } else {
    found.doubledIf(logRows.length > 1, `has ${logRows.length} log rows`);
    found.wrongIf(messageIds.size > 1, `went out under ${messageIds.size} Message-IDs`);
  }
  if (status === 'sent') {
    const right = known.length > 0 ? known.map(({ messageId }) => messageId) : [...messageIds];
    const unwritten = refusedItem && item['messageId'] === undefined;
    found.wrongIf(!unwritten && !right.includes(String(item['messageId'])), `has messageId ${item['messageId']}`);
    found.wrongIf(!unwritten && typeof item['sentAt'] !== 'string', 'has no sentAt');
  }
  if (status === 'failed') {
    found.wrongIf(!refusedItem && !says(' '), 'failed without a word');
    found.wrongIf(known.length > 0, `failed, but was taken: ${error}`);
  }
  found.wrongIf('sendingUntil' in item && status !== 'sending', 'is still claimed');
  const attempts = Number(item['attempts']);
  found.wrongIf(!(attempts >= 1 && attempts <= MAX_ATTEMPTS), `was begun ${item['attempts']} times`);
  const dropped = rows.droppedEvents.get(String(item['messageId'])) ?? [];
  for (const recipient of mail.recipients.filter(isSuppressed)) {
    const gotIt = takings.some((taking) => taking.recipients.includes(recipient));
    found.wrongIf(gotIt, `was sent to ${recipient}, which is suppressed`);
    const told = dropped.filter((event) => event['recipient'] === recipient).length;
    // A mail that failed for another reason reports that reason only.
    const mustTell = status === 'sent' || says(ALL_SUPPRESSED);
    found.lostIf(
      mustTell && told === 0 && !refusedItem && !says('could not be logged'),
      `has no dropped event of ${recipient}`,
    );
    found.doubledIf(told > 1, `has ${told} dropped events of ${recipient}`);
  }
  if (provider !== 'sendgrid') {
    const events = [...logged].flatMap((messageId) => rows.failedEvents.get(String(messageId)) ?? []);
    judgeRefusals(mail, status === 'sent' ? known : [], events, found);
  }
  return found;
}

/**
 * Whether the mail may be sent again because nobody could store that the provider took it: the answer was lost, or
 * the process was killed or storage was unavailable before it was stored.
 */
function mayComeAgain({ lost, process, round }: Taking, id: string): boolean {
  return lost || ((round.killed.has(process) || round.outage) && !round.ended.has(id));
}

/** Each recipient for whom the mail was finally not taken must have a failed event, and no other recipient may have one. */
function judgeRefusals(
  { id, recipients, refusals }: SentFacts,
  [taking]: readonly Taking[],
  events: readonly Row[],
  found: Findings,
): void {
  for (const recipient of recipients.filter((one) => !isSuppressed(one))) {
    const told = events.filter((event) => event['recipient'] === recipient).length;
    const refused = refusals.filter((refusal) => refusal.recipient === recipient);
    const gotIt = taking?.recipients.includes(recipient) ?? false;
    const final = taking
      ? !gotIt && !taking.round.outage
      : refused.some(({ round, process }) => round.ended.has(id) && !round.outage && !round.killed.has(process));
    found.lostIf(final && told === 0, `has no failed event of ${recipient}`);
    // A permanent refusal is final, unless the invocation ended before it was stored.
    const cutShort = refused.some(({ forGood, round }) => forGood && !round.ended.has(id));
    found.wrongIf(gotIt && told > 0 && !cutShort, `has a failed event of ${recipient}, for whom it was taken`);
    found.doubledIf(told > 1, `has ${told} failed events of ${recipient}`);
  }
}

function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** The faults of one mail. */
class Findings implements Verdict {
  readonly lost: string[] = [];
  readonly doubled: string[] = [];
  readonly wrong: string[] = [];
  readonly #id: string;

  constructor(id: string) {
    this.#id = id;
  }

  lostIf(bad: boolean, words: string): void {
    if (bad) this.lost.push(`${this.#id} ${words}`);
  }

  doubledIf(bad: boolean, words: string): void {
    if (bad) this.doubled.push(`${this.#id} ${words}`);
  }

  wrongIf(bad: boolean, words: string): void {
    if (bad) this.wrong.push(`${this.#id} ${words}`);
  }
}
