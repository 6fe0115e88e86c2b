/** The rows of SentLog and Bounce, made of events and mails. */
import { type Address, mailboxKey, readAddresses } from '../mail/address.ts';
import { classifyRefusal } from '../mail/classification.ts';
import type { BlocklistedEvent, FailureEvent, ProgressEvent, UnrecognizedEvent } from '../mail/event.ts';
import type { OutgoingMail, RefusedRecipient } from '../mail/outgoing-mail.ts';
import { undetermined } from '../mail/verdict.ts';
import { EVENT_ENTRY_PREFIX, LOG_ROW_ENTRY } from './entries.ts';
import { boundedKey, dayKey, PARTITION_KEY_MAX_BYTES, SORT_KEY_MAX_BYTES } from './keys.ts';
import { RAW_EVENT_MAX_BYTES, storable, storableLine, storableText } from './storable.ts';

/** When rows are written, and how long they are kept. */
export interface RecordingTime {
  /** Unix milliseconds. */
  readonly receivedAtMs: number;
  /** 0 keeps rows for ever. */
  readonly retentionDays: number;
}

/** How the reason begins if it was not the provider that did not try. */
export const LEFT_OUT = 'Todoke did not send to this address';

/** A mail as the sent log has it. Rows of other programs may lack anything but the message id. */
export interface LoggedMail {
  readonly messageId: string;
  readonly mailId?: string | undefined;
  readonly from: Address | undefined;
  /** to, cc and bcc together. */
  readonly recipients: readonly Address[];
  readonly subject: string | undefined;
}

/** Reads a log row, in whichever form of address it was written. */
export function loggedMail(row: Readonly<Record<string, unknown>>): LoggedMail {
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    messageId: String(row['messageId']),
    mailId: text(row['mailId']),
    from: readAddresses(row['from'])[0],
    recipients: [row['to'], row['cc'], row['bcc']].flatMap(readAddresses),
    subject: text(row['subject']),
  };
}

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;

/** Unix seconds from which DynamoDB may delete a row (its TTL), undefined for never. */
export function expirySeconds(startMs: number, retentionDays: number): number | undefined {
  return retentionDays === 0 ? undefined : Math.floor((startMs + retentionDays * DAY_MS) / 1000);
}

/** When an event happened, and when its row expires. The start of the retention period ignores implausible provider clocks. */
function times(timestamp: number | undefined, { receivedAtMs, retentionDays }: RecordingTime) {
  const occurredAtMs = timestamp === undefined ? receivedAtMs : timestamp * 1000;
  const startMs = Math.abs(occurredAtMs - receivedAtMs) <= WEEK_MS ? occurredAtMs : receivedAtMs;
  return { occurredAt: new Date(occurredAtMs).toISOString(), expiresAt: expirySeconds(startMs, retentionDays) };
}

/** What a matched mail adds to a Bounce row. */
export function joinedAttributes(mail: LoggedMail, recipient: string | undefined) {
  return {
    messageId: mail.messageId,
    matched: true,
    mailId: storableLine(mail.mailId),
    toName: storableLine(mail.recipients.find(({ email }) => mailboxKey(email) === recipient)?.name),
    fromEmail: mail.from?.email,
    fromName: storableLine(mail.from?.name),
    subject: storableLine(mail.subject),
  };
}

/** The Bounce row of a failure, joined with its mail where that is known. */
export function bounceRow(event: FailureEvent, mail: LoggedMail | undefined, time: RecordingTime) {
  const { outcome, bounceClass, cause, smtpCode, enhancedStatusCode } = event.classification;
  const { value: details, shortened } = storable(event.details);
  const reason = storableText(event.reason);
  const { occurredAt, expiresAt } = times(event.timestamp, time);
  return {
    fullMessageId: event.fullMessageId,
    eventId: event.eventId,
    messageId: event.messageIds[0],
    provider: event.provider,
    event: event.event,
    type: storableLine(event.type),
    outcome,
    bounceClass,
    cause,
    smtpCode,
    enhancedStatusCode,
    reason: reason.value,
    timestamp: event.timestamp,
    toEmail: event.recipient,
    fromEmail: storableLine(event.fromEmail),
    subject: storableLine(event.subject),
    mailId: storableLine(event.mailId),
    matched: false,
    ...(mail && withoutUndefined(joinedAttributes(mail, event.recipient))),
    occurredAt,
    receivedAt: new Date(time.receivedAtMs).toISOString(),
    expiresAt,
    day: dayKey(occurredAt, event.fullMessageId + event.eventId),
    details,
    ...((shortened || reason.shortened) && { shortened: true }),
  };
}

/** The Bounce row of a change to a block list. It has no `matched`: there is no mail to join it with. */
export function blocklistedRow(event: BlocklistedEvent, time: RecordingTime) {
  const { value: details, shortened } = storable(event.details);
  const reason = storableText(event.reason);
  const { occurredAt, expiresAt } = times(event.timestamp, time);
  return {
    fullMessageId: event.fullMessageId,
    eventId: event.eventId,
    provider: event.provider,
    event: storableLine(event.event),
    type: storableLine(event.type),
    outcome: 'blocklisted',
    reason: reason.value,
    timestamp: event.timestamp,
    toEmail: event.recipient,
    occurredAt,
    receivedAt: new Date(time.receivedAtMs).toISOString(),
    expiresAt,
    day: dayKey(occurredAt, event.fullMessageId + event.eventId),
    details,
    ...((shortened || reason.shortened) && { shortened: true }),
  };
}

/** The Bounce row of something that is not understood. */
export function unrecognizedRow(event: UnrecognizedEvent, time: RecordingTime) {
  const { occurredAt, expiresAt } = times(undefined, time);
  const rawEvent = storableText(event.rawEvent, RAW_EVENT_MAX_BYTES);
  return {
    fullMessageId: event.fullMessageId,
    eventId: event.eventId,
    provider: event.provider,
    outcome: 'unrecognized',
    matched: false,
    occurredAt,
    receivedAt: occurredAt,
    expiresAt,
    day: dayKey(occurredAt, event.fullMessageId + event.eventId),
    rawEvent: rawEvent.value,
    ...(rawEvent.shortened && { shortened: true }),
  };
}

/** A story is read at a glance, and its events are cheap: the whole reply of a failure is in its Bounce row. */
const STORY_REASON_MAX_LENGTH = 300;

/** The event's row in the story of the mail `messageId`. */
export function storyRow(event: ProgressEvent | FailureEvent, messageId: string, time: RecordingTime) {
  const { occurredAt, expiresAt } = times(event.timestamp, time);
  // Without a time of its own an event must still have one place in the story, whenever it comes.
  const position = event.timestamp === undefined ? 'undated' : occurredAt;
  // Customers Mail Cloud's event ids are unique for one recipient only.
  const distinct = event.provider === 'sendgrid' ? event.eventId : `${event.eventId}#${event.recipient ?? ''}`;
  return {
    messageId,
    entry: boundedKey(`${EVENT_ENTRY_PREFIX}${position}#${distinct}`, SORT_KEY_MAX_BYTES),
    state: event.state,
    recipient: event.recipient,
    provider: event.provider,
    reason: event.reason.slice(0, STORY_REASON_MAX_LENGTH).toWellFormed(),
    fullMessageId: event.fullMessageId,
    eventId: event.eventId,
    expiresAt,
  };
}

/**
 * The `failed` event of a recipient that was refused when the mail was handed over.
 *
 * @param atMs when it was refused; Unix milliseconds
 */
export function refusalEvent(
  { recipient, reply }: RefusedRecipient,
  { provider, messageId }: Pick<SentMail, 'provider' | 'messageId'>,
  atMs: number,
): FailureEvent {
  const mailbox = mailboxKey(recipient);
  return {
    kind: 'failure',
    state: 'failed',
    provider,
    messageIds: [messageId],
    // As in the events that the provider may send of it, under event ids of its own.
    fullMessageId: boundedKey(`${messageId}#${mailbox}`, PARTITION_KEY_MAX_BYTES),
    eventId: 'handover#failed',
    event: 'failed',
    type: 'handover',
    recipient: mailbox === '' ? undefined : boundedKey(mailbox, PARTITION_KEY_MAX_BYTES),
    reason: reply,
    timestamp: Math.floor(atMs / 1000),
    classification: classifyRefusal(reply),
    details: {},
  };
}

/** The `dropped` event of a recipient that was left out of a mail because the address is suppressed. It decides nothing. */
export function suppressedEvent(
  { recipient, reason }: { readonly recipient: string; readonly reason: string },
  mail: Pick<SentMail, 'provider' | 'messageId'>,
  atMs: number,
): FailureEvent {
  return {
    ...refusalEvent({ recipient, reply: `${LEFT_OUT}: it is ${reason}` }, mail, atMs),
    state: 'dropped',
    // SendGrid's events are told apart by this id alone.
    eventId: `suppressed#${mailboxKey(recipient)}`,
    event: 'dropped',
    type: 'suppressed',
    classification: {
      outcome: 'dropped',
      ...undetermined('suppressed'),
      smtpCode: undefined,
      enhancedStatusCode: undefined,
    },
  };
}

/** What the log row of a sent mail holds. */
export interface SentMail extends Pick<OutgoingMail, 'provider' | 'from' | 'to' | 'cc' | 'bcc' | 'subject'> {
  readonly messageId: string;
  readonly mailId: string;
}

/** The log row of a mail. */
export function logRow(mail: SentMail, sentAtMs: number, retentionDays: number) {
  const list = (addresses: readonly Address[]) => (addresses.length === 0 ? undefined : JSON.stringify(addresses));
  return {
    messageId: boundedKey(mail.messageId, PARTITION_KEY_MAX_BYTES),
    entry: LOG_ROW_ENTRY,
    provider: mail.provider,
    mailId: mail.mailId,
    from: JSON.stringify(mail.from),
    to: list(mail.to),
    cc: list(mail.cc),
    bcc: list(mail.bcc),
    subject: mail.subject,
    ...logRowDefaults(mail.messageId, sentAtMs, retentionDays),
  };
}

/** What a log row gets where its application left it out. */
export function logRowDefaults(messageId: string, sentAtMs: number, retentionDays: number) {
  const sentAt = new Date(sentAtMs).toISOString();
  return { sentAt, expiresAt: expirySeconds(sentAtMs, retentionDays), day: dayKey(sentAt, messageId) };
}

/** Spread over a row, an undefined attribute would take away one that is there. */
function withoutUndefined<Row extends object>(row: Row): Partial<Row> {
  const kept: Partial<Row> = {};
  for (const key in row) if (row[key] !== undefined) kept[key] = row[key];
  return kept;
}
