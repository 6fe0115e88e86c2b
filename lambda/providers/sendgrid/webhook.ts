/**
 * SendGrid's Event Webhook as HTTP: verify the signature, parse the post.
 *
 * Source: SendGrid's documentation, "Event Webhook Security Features".
 */
import { createPublicKey, createVerify, type KeyObject } from 'node:crypto';
import {
  mediaType,
  parseJson,
  refuseTooManyEvents,
  WebhookRefusal,
  type WebhookRequest,
} from '../../webhooks/request.ts';

const SIGNATURE_HEADER = 'x-twilio-email-event-webhook-signature';
const TIMESTAMP_HEADER = 'x-twilio-email-event-webhook-timestamp';

/**
 * The events of a post that one of the keys signed.
 *
 * @throws WebhookRefusal 503 if no usable key is configured, 401 if none fits, then 415, 400 or 413
 */
export function acceptSendGrid(request: WebhookRequest, publicKeys: readonly string[]): unknown[] {
  verifySendGrid(request, publicKeys);
  return parseSendGrid(request);
}

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
        ? 'Cannot verify the post: the webhook secret has no public key; put that of the signed Event Webhook into sendgridPublicKeys'
        : 'Cannot verify the post: sendgridPublicKeys of the webhook secret has no P-256 key in the form that SendGrid shows',
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
  const events = parseJson(request.body.toString(), 'the post');
  if (!Array.isArray(events)) throw new WebhookRefusal(400, 'Cannot read the post: it is not an array of events');
  refuseTooManyEvents(events.length);
  return events;
}
