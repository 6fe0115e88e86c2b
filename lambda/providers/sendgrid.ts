/**
 * SendGrid's Event Webhook: verify, parse, normalize.
 *
 * Source: SendGrid's documentation, "Event Webhook Reference" and "Event Webhook Security Features".
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import * as z from 'zod/mini';
import { mailboxKey } from '../mail/address.ts';
import { classifySendGrid } from '../mail/classification.ts';
import type { MailEvent } from '../mail/event.ts';
import { jsonText } from '../mail/json.ts';
import { boundedKey, keyOfContent, PARTITION_KEY_MAX_BYTES, SORT_KEY_MAX_BYTES } from '../mail/keys.ts';
import { MAIL_ID_ARGUMENT, sendGridMessageId } from '../mail/message-id.ts';
import { usableTimestamp } from '../mail/timestamp.ts';
import { mediaType, parseJson, Refusal, refuseTooManyEvents, type WebhookRequest } from '../mail/webhook-request.ts';

const SIGNATURE_HEADER = 'x-twilio-email-event-webhook-signature';
const TIMESTAMP_HEADER = 'x-twilio-email-event-webhook-timestamp';

/**
 * Whether one of the keys signed the post: ECDSA with P-256 and SHA-256 over the timestamp header and the raw body.
 *
 * The timestamp's age is not limited: SendGrid sends again for a day, it is not documented whether with a new signature,
 * and recording a post twice changes nothing.
 *
 * @param publicKeys base64 SPKI DER, as SendGrid shows them
 * @throws Refusal 503 where no usable key is configured, 401 where none fits
 */
export function verifySendGrid(request: WebhookRequest, publicKeys: readonly string[]): void {
  const keys = publicKeys.map(publicKey).filter((key) => key !== undefined);
  if (keys.length === 0) {
    throw new Refusal(
      503,
      publicKeys.length === 0
        ? 'Cannot verify the post: put the public key of the signed Event Webhook into sendgridPublicKeys of the webhook secret'
        : 'Cannot verify the post: sendgridPublicKeys of the webhook secret holds no P-256 key as SendGrid shows it',
    );
  }
  const signature = request.headers[SIGNATURE_HEADER];
  const timestamp = request.headers[TIMESTAMP_HEADER];
  if (signature === undefined || timestamp === undefined) {
    throw new Refusal(401, 'Cannot accept the post: it is not signed; switch on the Signed Event Webhook at SendGrid');
  }
  const signed = Buffer.concat([Buffer.from(timestamp), request.body]);
  const signatureBytes = Buffer.from(signature, 'base64');
  // Node reads base64 leniently: one signature would have many spellings.
  const wellFormed = /^\d+$/.test(timestamp) && signatureBytes.toString('base64') === signature;
  if (!wellFormed || !keys.some((key) => verify('sha256', signed, key, signatureBytes))) {
    throw new Refusal(401, 'Cannot accept the post: its signature fits none of the public keys in the webhook secret');
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

function parsePublicKey(base64: string): KeyObject | undefined {
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
 * @throws Refusal 415, 400 or 413
 */
export function parseSendGrid(request: WebhookRequest): unknown[] {
  if (mediaType(request) !== 'application/json') {
    throw new Refusal(415, 'Cannot read the post: its content type is not application/json');
  }
  const events = parseJson(request.body.toString(), 'the post');
  if (!Array.isArray(events)) throw new Refusal(400, 'Cannot read the post: it is not an array of events');
  refuseTooManyEvents(events.length);
  return events;
}

/** What is of another type than documented counts as missing; the details still have it. */
const text = z._default(z.catch(z.string(), ''), '');

const eventSchema = z.object({
  event: z.string(),
  email: text,
  timestamp: z.optional(z.unknown()),
  sg_event_id: text,
  sg_message_id: text,
  reason: text,
  response: text,
  status: text,
  type: text,
  bounce_classification: text,
  [MAIL_ID_ARGUMENT]: text,
});
type SendGridEvent = z.infer<typeof eventSchema>;

/** One event of a post in Todoke's terms. Whatever it is: this never throws. */
export function normalizeSendGrid(received: unknown): MailEvent {
  const parsed = eventSchema.safeParse(received);
  if (!parsed.success) return unrecognized(received, '', '');
  const event = parsed.data;
  switch (event.event) {
    case 'processed':
      return progress(event, received, 'queued');
    case 'deferred':
      return progress(event, received, 'deferred');
    case 'delivered':
      return progress(event, received, 'delivered');
    case 'bounce':
      return failure(event, received, 'bounce', 'bounced');
    case 'dropped':
      return failure(event, received, 'dropped', 'dropped');
    case 'spamreport':
      return failure(event, received, 'spamreport', 'complained');
    case 'open':
    case 'click':
    case 'unsubscribe':
    case 'group_unsubscribe':
    case 'group_resubscribe':
      return { kind: 'ignored' };
    default:
      return unrecognized(received, event.sg_message_id, event.sg_event_id);
  }
}

function progress(event: SendGridEvent, received: unknown, state: 'queued' | 'deferred' | 'delivered'): MailEvent {
  const facts = common(event, received);
  // Progress is kept in the story of its mail; without a message id there is no story.
  if (facts.messageIds.length === 0) return unrecognized(received, event.sg_message_id, event.sg_event_id);
  return { kind: 'progress', state, ...facts, reason: event.response || event.reason };
}

function failure(
  event: SendGridEvent,
  received: unknown,
  name: 'bounce' | 'dropped' | 'spamreport',
  state: 'bounced' | 'dropped' | 'complained',
): MailEvent {
  const facts = common(event, received);
  return {
    kind: 'failure',
    state,
    ...facts,
    reason: event.reason,
    event: name,
    type: event.type,
    classification: classifySendGrid({
      event: name,
      type: event.type,
      status: event.status,
      bounceClassification: event.bounce_classification,
      reason: event.reason,
    }),
    mailId: event[MAIL_ID_ARGUMENT] || undefined,
    details: details(received, facts.timestamp),
  };
}

function common(event: SendGridEvent, received: unknown) {
  const { sg_message_id: fullMessageId, sg_event_id: eventId } = event;
  const messageId = sendGridMessageId(fullMessageId);
  return {
    provider: 'sendgrid',
    messageIds: messageId === '' ? [] : [boundedKey(messageId, PARTITION_KEY_MAX_BYTES)],
    ...keys(received, fullMessageId, eventId),
    recipient: event.email === '' ? undefined : boundedKey(mailboxKey(event.email), PARTITION_KEY_MAX_BYTES),
    timestamp: usableTimestamp(event.timestamp),
  } as const;
}

function keys(received: unknown, fullMessageId: string, eventId: string) {
  const derived = fullMessageId === '' || eventId === '' ? keyOfContent(received) : '';
  return {
    fullMessageId: boundedKey(fullMessageId || derived, PARTITION_KEY_MAX_BYTES),
    eventId: boundedKey(eventId || derived, SORT_KEY_MAX_BYTES),
  };
}

function unrecognized(received: unknown, fullMessageId: string, eventId: string): MailEvent {
  return {
    kind: 'unrecognized',
    provider: 'sendgrid',
    ...keys(received, fullMessageId, eventId),
    rawEvent: jsonText(received),
  };
}

/** These stand in the Bounce row under names of their own; of another type than documented they stay among the details. */
const OWN_ATTRIBUTES = new Set(['event', 'email', 'sg_event_id', 'sg_message_id', 'reason', 'type']);

function details(received: unknown, timestamp: number | undefined): Record<string, unknown> {
  const kept = Object.entries(received as object).filter(
    ([name, value]) =>
      !(OWN_ATTRIBUTES.has(name) && typeof value === 'string') && !(name === 'timestamp' && value === timestamp),
  );
  return Object.fromEntries(kept);
}
