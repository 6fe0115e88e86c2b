/**
 * Normalizes SendGrid's events.
 *
 * Source: SendGrid's documentation, "Event Webhook Reference".
 */
import * as z from 'zod/mini';
import { mailboxKey } from '../../mail/address.ts';
import { keyOfContent, sha256 } from '../../mail/content-key.ts';
import type { MailEvent, ProgressState } from '../../mail/event.ts';
import { type Fields, otherFields, textField } from '../../mail/fields.ts';
import { jsonText } from '../../mail/json.ts';
import { MAIL_ID_ARGUMENT, sendGridMessageId, smtpIdLocalPart } from '../../mail/message-id.ts';
import { usableTimestamp } from '../../mail/timestamp.ts';
import { classifySendGrid } from './classification.ts';

/** The only field that every event must have. Each other field is checked where it is used. */
const eventSchema = z.object({ event: z.string() });
type SendGridEvent = Fields & { readonly event: string };

/** Whether a value is an event. The event itself is used, because the schema's output would be a copy of it. */
function isEvent(received: unknown): received is SendGridEvent {
  return eventSchema.safeParse(received).success;
}

/** Normalizes one event of a post. Never throws. */
export function normalizeSendGrid(received: unknown): MailEvent {
  if (!isEvent(received)) return unrecognized(received);
  switch (received.event) {
    case 'processed':
      return progress(received, 'queued');
    case 'deferred':
      return progress(received, 'deferred');
    case 'delivered':
      return progress(received, 'delivered');
    case 'bounce':
      return failure(received, 'bounce');
    case 'dropped':
      return failure(received, 'dropped');
    case 'spamreport':
      return failure(received, 'spamreport');
    case 'open':
    case 'click':
    case 'unsubscribe':
    case 'group_unsubscribe':
    case 'group_resubscribe':
      return { kind: 'ignored' };
    default:
      return unrecognized(received);
  }
}

function progress(event: SendGridEvent, state: ProgressState): MailEvent {
  const facts = common(event, textField(event, 'response') || textField(event, 'reason'));
  // Progress has a row only in the story of its mail. Without a message id there is no story.
  if (facts.messageIds.length === 0) return unrecognized(event);
  return { kind: 'progress', state, ...facts };
}

function failure(event: SendGridEvent, name: 'bounce' | 'dropped' | 'spamreport'): MailEvent {
  const reason = textField(event, 'reason');
  const facts = common(event, reason);
  const type = textField(event, 'type');
  const classification = classifySendGrid({
    event: name,
    type,
    status: textField(event, 'status'),
    bounceClassification: textField(event, 'bounce_classification'),
    reason,
  });
  return {
    kind: 'failure',
    state: classification.outcome,
    ...facts,
    event: name,
    type,
    classification,
    mailId: textField(event, MAIL_ID_ARGUMENT) || undefined,
    details: otherFields(event, (field, value) =>
      field === 'timestamp' ? value === facts.timestamp : OWN_ATTRIBUTES.has(field) && typeof value === 'string',
    ),
  };
}

/** Fields with an attribute of their own in the Bounce row. A value of another type than documented is in `details`. */
const OWN_ATTRIBUTES = new Set(['event', 'email', 'sg_message_id', 'reason', 'type']);

/** The fields of progress and failures. */
function common(event: SendGridEvent, reason: string) {
  const recipient = recipientOf(event);
  const message = textField(event, 'sg_message_id') || textField(event, 'smtp-id');
  const eventId = eventIdOf(event, message, recipient ?? '', reason);
  return {
    provider: 'sendgrid',
    messageIds: messageIdsOf(event),
    fullMessageId: message || eventId,
    eventId,
    recipient,
    reason,
    timestamp: usableTimestamp(event['timestamp']),
  } as const;
}

/** The message id under which the event's mail may be logged, if there is one. */
function messageIdsOf(event: SendGridEvent): string[] {
  const messageId =
    sendGridMessageId(textField(event, 'sg_message_id')) || smtpIdLocalPart(textField(event, 'smtp-id'));
  return messageId === '' ? [] : [messageId];
}

function recipientOf(event: SendGridEvent): string | undefined {
  const email = textField(event, 'email');
  return email === '' ? undefined : mailboxKey(email);
}

/**
 * Derives an id from the event's time, name, message, recipient and reply. It is not `sg_event_id`,
 * because a user got copies of an event with different ones (https://github.com/sendgrid/sendgrid-nodejs/issues/1435).
 */
function eventIdOf(event: SendGridEvent, message: string, recipient: string, reply: string): string {
  const time = event['timestamp'];
  const when = typeof time === 'number' || typeof time === 'string' ? time : '';
  return `sha256:${sha256(`${when}\n${event.event}\n${message}\n${recipient}\n${reply}`)}`;
}

function unrecognized(received: unknown): MailEvent {
  // The key is made of all fields, except an id that differs between copies of an event.
  const eventId = keyOfContent(isEvent(received) ? otherFields(received, (name) => name === 'sg_event_id') : received);
  return {
    kind: 'unrecognized',
    provider: 'sendgrid',
    fullMessageId: (isEvent(received) && textField(received, 'sg_message_id')) || eventId,
    eventId,
    rawEvent: jsonText(received),
  };
}
