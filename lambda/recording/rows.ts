/** Makes the rows of SentLog and Bounce from events and mails. */
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
  /** 0 keeps rows forever. */
  readonly retentionDays: number;
}

/** The beginning of the reason of a `dropped` event if Todoke left the recipient out. */
export const LEFT_OUT = 'Todoke did not send to this address';

/** A mail as its log row describes it. In rows of other programs everything but the message id may be missing. */
export interface LoggedMail {
  readonly messageId: string;
  readonly mailId?: string | undefined;
  readonly from: Address | undefined;
  /** to, cc and bcc together. */
  readonly recipients: readonly Address[];
  readonly subject: string | undefined;
}

/** Reads a log row. Its addresses may have any form. */
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

/** The time from which DynamoDB may delete a row (its TTL), in Unix seconds; undefined for never. */
export function expirySeconds(startMs: number, retentionDays: number): number | undefined {
  return retentionDays === 0 ? undefined : Math.floor((startMs + retentionDays * DAY_MS) / 1000);
}

/**
 * When an event happened, and when its row expires. The retention starts when the event happened or, if that is more
 * than a week from its receipt, at its receipt.
 */
function times(timestamp: number | undefined, { receivedAtMs, retentionDays }: RecordingTime) {
  const occurredAtMs = timestamp === undefined ? receivedAtMs : timestamp * 1000;
  const startMs = Math.abs(occurredAtMs - receivedAtMs) <= WEEK_MS ? occurredAtMs : receivedAtMs;
  return { occurredAt: new Date(occurredAtMs).toISOString(), expiresAt: expirySeconds(startMs, retentionDays) };
}

/** The attributes that a join adds to a Bounce row. */
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

/** The Bounce row of a failure, joined with its mail if it was found. */
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

/** The Bounce row of a block list change. It has no `matched`, because it is joined with no mail. */
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

/** The Bounce row of an event that Todoke does not know. */
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

/** Keeps the rows of a story short. The Bounce row of a failure has the whole reply. */
const STORY_REASON_MAX_LENGTH = 300;

/** The event's row in the story of the mail `messageId`. */
export function storyRow(event: ProgressEvent | FailureEvent, messageId: string, time: RecordingTime) {
  const { occurredAt, expiresAt } = times(event.timestamp, time);
  // An event without a time must have the same key at every delivery.
  const position = event.timestamp === undefined ? 'undated' : occurredAt;
  // An event id of Customers Mail Cloud is unique only for one recipient.
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
 * The `failed` event of a recipient that was refused at the handover.
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
    // The same as in Customers Mail Cloud's own events about this mail and recipient. Their event ids are different.
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

/**
 * The `dropped` event of a recipient that was left out because it is suppressed. The event itself suppresses nothing.
 */
export function suppressedEvent(
  { recipient, reason }: { readonly recipient: string; readonly reason: string },
  mail: Pick<SentMail, 'provider' | 'messageId'>,
  atMs: number,
): FailureEvent {
  return {
    ...refusalEvent({ recipient, reply: `${LEFT_OUT}: it is ${reason}` }, mail, atMs),
    state: 'dropped',
    // In a story only this id distinguishes events with the provider SendGrid.
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

/** The data of a log row. */
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

/** The attributes that a log row gets if its application left them out. */
export function logRowDefaults(messageId: string, sentAtMs: number, retentionDays: number) {
  const sentAt = new Date(sentAtMs).toISOString();
  return { sentAt, expiresAt: expirySeconds(sentAtMs, retentionDays), day: dayKey(sentAt, messageId) };
}

/** Removes undefined attributes. Spread over a row, they would overwrite its values. */
function withoutUndefined<Row extends object>(row: Row): Partial<Row> {
  const kept: Partial<Row> = {};
  for (const key in row) if (row[key] !== undefined) kept[key] = row[key];
  return kept;
}
