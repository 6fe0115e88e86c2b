/**
 * SendGrid's Event Webhook: verify, parse, normalize.
 *
 * Source: SendGrid's documentation, "Event Webhook Reference" and "Event Webhook Security Features".
 */
import { createPublicKey, createVerify, type KeyObject } from 'node:crypto';
import * as z from 'zod/mini';
import { mailboxKey } from '../mail/address.ts';
import { classifySendGrid } from '../mail/classification.ts';
import type { MailEvent, ProgressState } from '../mail/event.ts';
import { type Fields, otherFields, textField } from '../mail/fields.ts';
import { jsonText } from '../mail/json.ts';
import { boundedKey, keyOfContent, PARTITION_KEY_MAX_BYTES, SORT_KEY_MAX_BYTES } from '../mail/keys.ts';
import { MAIL_ID_ARGUMENT, sendGridMessageId } from '../mail/message-id.ts';
import { usableTimestamp } from '../mail/timestamp.ts';
import {
  mediaType,
  parseJson,
  refuseTooManyEvents,
  WebhookRefusal,
  type WebhookRequest,
} from '../mail/webhook-request.ts';

const SIGNATURE_HEADER = 'x-twilio-email-event-webhook-signature';
const TIMESTAMP_HEADER = 'x-twilio-email-event-webhook-timestamp';

/**
 * Whether one of the keys signed the post: ECDSA with P-256 and SHA-256 over the timestamp header and the raw body.
 *
 * The timestamp's age is not limited: SendGrid sends again for a day, it is not documented whether with a new signature,
 * and recording a post twice changes nothing.
 *
 * @param publicKeys base64 SPKI DER, as SendGrid shows them
 * @throws WebhookRefusal 503 where no usable key is configured, 401 where none fits
 */
export function verifySendGrid(request: WebhookRequest, publicKeys: readonly string[]): void {
  const keys = publicKeys.map(publicKey).filter((key) => key !== undefined);
  if (keys.length === 0) {
    throw new WebhookRefusal(
      503,
      publicKeys.length === 0
        ? 'Cannot verify the post: put the public key of the signed Event Webhook into sendgridPublicKeys of the webhook secret'
        : 'Cannot verify the post: sendgridPublicKeys of the webhook secret holds no P-256 key as SendGrid shows it',
    );
  }
  const signature = request.headers[SIGNATURE_HEADER];
  const timestamp = request.headers[TIMESTAMP_HEADER];
  if (signature === undefined || timestamp === undefined) {
    throw new WebhookRefusal(
      401,
      'Cannot accept the post: it is not signed; switch on the Signed Event Webhook at SendGrid',
    );
  }
  const signatureBytes = Buffer.from(signature, 'base64');
  // Node reads base64 leniently: one signature would have many spellings.
  const wellFormed = /^\d+$/.test(timestamp) && signatureBytes.toString('base64') === signature;
  if (
    !wellFormed ||
    !keys.some((key) => createVerify('sha256').update(timestamp).update(request.body).verify(key, signatureBytes))
  ) {
    throw new WebhookRefusal(
      401,
      'Cannot accept the post: its signature fits none of the public keys in the webhook secret',
    );
  }
}

const parsedKeys = new Map<string, KeyObject | undefined>();

/** Parsing a key takes longer than verifying with it. A secret holds few keys, and changes seldom. */
function publicKey(base64: string): KeyObject | undefined {
  if (!parsedKeys.has(base64)) {
    if (parsedKeys.size > 100) parsedKeys.clear();
    parsedKeys.set(base64, parsePublicKey(base64));
  }
  return parsedKeys.get(base64);
}

/** The P-256 key that SendGrid shows as base64 of SPKI DER; undefined for what is none. */
export function parsePublicKey(base64: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The events of a post that has been verified.
 *
 * @throws WebhookRefusal 415, 400 or 413
 */
export function parseSendGrid(request: WebhookRequest): unknown[] {
  if (mediaType(request) !== 'application/json') {
    throw new WebhookRefusal(415, 'Cannot read the post: its content type is not application/json');
  }
  const events = parseJson(request.body, 'the post');
  if (!Array.isArray(events)) throw new WebhookRefusal(400, 'Cannot read the post: it is not an array of events');
  refuseTooManyEvents(events.length);
  return events;
}

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

// Written out, without spreading one object into another: that would take as long as all else.

function progress(event: SendGridEvent, state: ProgressState): MailEvent {
  const messageIds = messageIdsOf(event);
  const { fullMessageId, eventId } = keysOf(event);
  // Progress is kept in the story of its mail; without a message id there is no story.
  if (messageIds.length === 0) return unrecognized(event, { fullMessageId, eventId });
  return {
    kind: 'progress',
    state,
    provider: 'sendgrid',
    messageIds,
    fullMessageId,
    eventId,
    recipient: recipientOf(event),
    timestamp: usableTimestamp(event['timestamp']),
    reason: textField(event, 'response') || textField(event, 'reason'),
  };
}

function failure(event: SendGridEvent, name: 'bounce' | 'dropped' | 'spamreport'): MailEvent {
  const { fullMessageId, eventId } = keysOf(event);
  const type = textField(event, 'type');
  const reason = textField(event, 'reason');
  const timestamp = usableTimestamp(event['timestamp']);
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
    provider: 'sendgrid',
    messageIds: messageIdsOf(event),
    fullMessageId,
    eventId,
    recipient: recipientOf(event),
    timestamp,
    reason,
    event: name,
    type,
    classification,
    mailId: textField(event, MAIL_ID_ARGUMENT) || undefined,
    details: otherFields(event, (field, value) => isOwnAttribute(field, value, timestamp)),
  };
}

/** Under which the event's mail may be logged: one, or none. */
function messageIdsOf(event: SendGridEvent): string[] {
  const messageId = sendGridMessageId(textField(event, 'sg_message_id'));
  return messageId === '' ? [] : [boundedKey(messageId, PARTITION_KEY_MAX_BYTES)];
}

function recipientOf(event: SendGridEvent): string | undefined {
  const email = textField(event, 'email');
  return email === '' ? undefined : boundedKey(mailboxKey(email), PARTITION_KEY_MAX_BYTES);
}

interface Keys {
  readonly fullMessageId: string;
  readonly eventId: string;
}

function keysOf(event: SendGridEvent): Keys {
  const fullMessageId = textField(event, 'sg_message_id');
  const eventId = textField(event, 'sg_event_id');
  const derived = fullMessageId === '' || eventId === '' ? keyOfContent(event) : '';
  return {
    fullMessageId: boundedKey(fullMessageId || derived, PARTITION_KEY_MAX_BYTES),
    eventId: boundedKey(eventId || derived, SORT_KEY_MAX_BYTES),
  };
}

function unrecognized(received: unknown, { fullMessageId, eventId } = keysOfContent(received)): MailEvent {
  return { kind: 'unrecognized', provider: 'sendgrid', fullMessageId, eventId, rawEvent: jsonText(received) };
}

function keysOfContent(received: unknown): Keys {
  const key = keyOfContent(received);
  return { fullMessageId: key, eventId: key };
}

/**
 * Whether a field stands in the Bounce row under a name of its own. One of another type than documented stays among the
 * details.
 */
function isOwnAttribute(field: string, value: unknown, timestamp: number | undefined): boolean {
  switch (field) {
    case 'event':
    case 'email':
    case 'sg_event_id':
    case 'sg_message_id':
    case 'reason':
    case 'type':
      return typeof value === 'string';
    case 'timestamp':
      return value === timestamp;
    default:
      return false;
  }
}
