/**
 * Verifies and parses the posts of SendGrid's Event Webhook.
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
 * @throws WebhookRefusal 503 if no usable key is configured, 401 if no key fits, then 415, 400 or 413
 */
export function acceptSendGrid(request: WebhookRequest, publicKeys: readonly string[]): unknown[] {
  verifySendGrid(request, publicKeys);
  return parseSendGrid(request);
}

/**
 * Verifies that one of the keys signed the post: ECDSA with P-256 and SHA-256 over the timestamp header and the raw
 * body.
 *
 * The age of the timestamp is not limited. SendGrid repeats a post for a day, and it is not documented whether the
 * signature is a new one. To record a post twice does no harm.
 *
 * @param publicKeys base64 SPKI DER, as SendGrid shows them
 * @throws WebhookRefusal 503 if no usable key is configured, 401 if no key fits
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
  // Node decodes base64 leniently, so that one signature would have many spellings.
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

/** A parsed key, from the cache if possible: to parse a key takes longer than to verify a signature with it. */
function publicKey(base64: string): KeyObject | undefined {
  if (!parsedKeys.has(base64)) {
    if (parsedKeys.size > 100) parsedKeys.clear();
    parsedKeys.set(base64, parsePublicKey(base64));
  }
  return parsedKeys.get(base64);
}

/** Parses a P-256 key in SendGrid's form, base64 of SPKI DER; undefined if it is not such a key. */
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
