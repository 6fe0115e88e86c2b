/** Makes SendGrid's webhook posts: divides events into posts, and signs them. */
import { type KeyObject, sign } from 'node:crypto';
import type { Pending } from '../outbox.ts';
import type { WebhookPost } from '../webhook-post.ts';
import type { SendGridEvent } from './events.ts';

/** SendGrid posts as soon as it has this many bytes of events. */
const MAX_POST_BYTES = 768 * 1024;

/** Divides events into posts of no more than 768 KB. */
export function splitBySize(events: readonly Pending<SendGridEvent>[]): Pending<SendGridEvent>[][] {
  const posts: Pending<SendGridEvent>[][] = [];
  let postBytes = Number.POSITIVE_INFINITY;
  for (const pending of events) {
    const eventBytes = Buffer.byteLength(serialize(pending.event)) + SEPARATOR.length;
    if (postBytes + eventBytes > MAX_POST_BYTES) {
      posts.push([]);
      postBytes = 0;
    }
    posts.at(-1)?.push(pending);
    postBytes += eventBytes;
  }
  return posts;
}

/** A post of an Event Webhook, signed if there is a key. */
export function eventPost(
  events: readonly SendGridEvent[],
  privateKey: KeyObject | undefined,
  nowMs: number,
): WebhookPost {
  if (privateKey) return signedPost(events, privateKey, nowMs);
  return { headers: HEADERS, body: bodyOf(events) };
}

/**
 * A post of the Signed Event Webhook. It is signed anew each time: whether SendGrid does that for a repeated post is
 * not known.
 *
 * @param privateKey on the curve P-256
 * @param nowMs Unix milliseconds
 * @see https://www.twilio.com/docs/sendgrid/for-developers/tracking-events, "Security Features"
 */
function signedPost(events: readonly SendGridEvent[], privateKey: KeyObject, nowMs: number): WebhookPost {
  const body = bodyOf(events);
  return { headers: { ...HEADERS, ...signatureHeaders(body, privateKey, nowMs) }, body };
}

/**
 * The headers with which the Signed Event Webhook signs a body.
 *
 * @param privateKey on the curve P-256
 * @param nowMs Unix milliseconds
 */
export function signatureHeaders(body: Uint8Array | string, privateKey: KeyObject, nowMs: number) {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signature = sign('sha256', Buffer.concat([Buffer.from(timestamp), Buffer.from(body)]), privateKey);
  return {
    'X-Twilio-Email-Event-Webhook-Signature': signature.toString('base64'),
    'X-Twilio-Email-Event-Webhook-Timestamp': timestamp,
  };
}

const HEADERS = { 'User-Agent': 'SendGrid Event API', 'Content-Type': 'application/json;charset=utf-8' };
const SEPARATOR = ',\r\n';

const bodyOf = (events: readonly SendGridEvent[]) => Buffer.from(`[${events.map(serialize).join(SEPARATOR)}]\r\n`);

/** Differs from JSON.stringify on purpose, so that only code that verifies the raw body accepts the signature. */
function serialize(event: SendGridEvent): string {
  const fields = Object.entries(event).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(fields)).replaceAll('<', '\\u003c').replaceAll('>', '\\u003e');
}
