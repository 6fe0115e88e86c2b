/**
 * SendGrid's events in Todoke's terms.
 *
 * Source: SendGrid's documentation, "Event Webhook Reference".
 */
import * as z from 'zod/mini';
import { mailboxKey } from '../../mail/address.ts';
import { keyOfContent } from '../../mail/content-key.ts';
import type { MailEvent, ProgressState } from '../../mail/event.ts';
import { type Fields, otherFields, textField } from '../../mail/fields.ts';
import { jsonText } from '../../mail/json.ts';
import { MAIL_ID_ARGUMENT, sendGridMessageId } from '../../mail/message-id.ts';
import { usableTimestamp } from '../../mail/timestamp.ts';
import { classifySendGrid } from './classification.ts';

/** All that an event must be. Its other fields may have any type: each is looked at where it is used. */
const eventSchema = z.object({ event: z.string() });
type SendGridEvent = Fields & { readonly event: string };

/** The schema's own output would be a copy of each event. */
function isEvent(received: unknown): received is SendGridEvent {
  return eventSchema.safeParse(received).success;
}

/** One event of a post in Todoke's terms. Whatever it is: this never throws. */
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
      return unrecognized(received, keysOf(received));
  }
}

function progress(event: SendGridEvent, state: ProgressState): MailEvent {
  const facts = common(event);
  // Progress is kept in the story of its mail; without a message id there is no story.
  if (facts.messageIds.length === 0) return unrecognized(event, facts);
  return { kind: 'progress', state, ...facts, reason: textField(event, 'response') || textField(event, 'reason') };
}

function failure(event: SendGridEvent, name: 'bounce' | 'dropped' | 'spamreport'): MailEvent {
  const facts = common(event);
  const type = textField(event, 'type');
  const reason = textField(event, 'reason');
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
    reason,
    event: name,
    type,
    classification,
    mailId: textField(event, MAIL_ID_ARGUMENT) || undefined,
    details: otherFields(event, (field, value) =>
      field === 'timestamp' ? value === facts.timestamp : OWN_ATTRIBUTES.has(field) && typeof value === 'string',
    ),
  };
}

/** These have attributes of their own in the Bounce row. A value of another type than documented stays in `details`. */
const OWN_ATTRIBUTES = new Set(['event', 'email', 'sg_event_id', 'sg_message_id', 'reason', 'type']);

/** What progress and failures have in common. */
function common(event: SendGridEvent) {
  return {
    provider: 'sendgrid',
    messageIds: messageIdsOf(event),
    ...keysOf(event),
    recipient: recipientOf(event),
    timestamp: usableTimestamp(event['timestamp']),
  } as const;
}

/** Under which the event's mail may be logged: one, or none. */
function messageIdsOf(event: SendGridEvent): string[] {
  const messageId = sendGridMessageId(textField(event, 'sg_message_id'));
  return messageId === '' ? [] : [messageId];
}

function recipientOf(event: SendGridEvent): string | undefined {
  const email = textField(event, 'email');
  return email === '' ? undefined : mailboxKey(email);
}

interface Keys {
  readonly fullMessageId: string;
  readonly eventId: string;
}

function keysOf(event: SendGridEvent): Keys {
  const fullMessageId = textField(event, 'sg_message_id');
  const eventId = textField(event, 'sg_event_id');
  const derived = fullMessageId === '' || eventId === '' ? keyOfContent(event) : '';
  return { fullMessageId: fullMessageId || derived, eventId: eventId || derived };
}

function unrecognized(received: unknown, { fullMessageId, eventId } = keysOfContent(received)): MailEvent {
  return { kind: 'unrecognized', provider: 'sendgrid', fullMessageId, eventId, rawEvent: jsonText(received) };
}

function keysOfContent(received: unknown): Keys {
  const key = keyOfContent(received);
  return { fullMessageId: key, eventId: key };
}
