/**
 * Customers Mail Cloud's webhook: find the credential, parse, normalize.
 *
 * Source: Customers Mail Cloud's documentation (smtps.jp), "Webhook".
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import * as z from 'zod/mini';
import { mailboxKey } from '../mail/address.ts';
import { classifyCustomersMailCloud } from '../mail/classification.ts';
import type { MailEvent, ProgressState } from '../mail/event.ts';
import { jsonText } from '../mail/json.ts';
import { boundedKey, keyOfContent, PARTITION_KEY_MAX_BYTES, SORT_KEY_MAX_BYTES } from '../mail/keys.ts';
import { customersMailCloudMessageId } from '../mail/message-id.ts';
import { zonedTimestamp } from '../mail/timestamp.ts';
import { mediaType, parseJson, Refusal, refuseTooManyEvents, type WebhookRequest } from '../mail/webhook-request.ts';

/** What a post may prove itself with: any one value of any list. */
export interface CustomersMailCloudCredentials {
  readonly apiKeys: readonly string[];
  readonly basic: readonly { readonly user: string; readonly password: string }[];
  readonly bearerTokens: readonly string[];
}

/** An entry of a post with the event type under which it stood. */
export interface CustomersMailCloudEntry {
  readonly eventType: string;
  readonly entry: unknown;
}

/**
 * The entries of a post, after one of its credentials was found right: HTTP Basic or Bearer, or `api_key` in the body.
 *
 * @throws Refusal 503 where nothing is configured, 415 and 401, and once it is accepted 400 or 413
 */
export function acceptCustomersMailCloud(
  request: WebhookRequest,
  credentials: CustomersMailCloudCredentials,
): CustomersMailCloudEntry[] {
  const apiKeys = credentials.apiKeys.filter(Boolean);
  const bearerTokens = credentials.bearerTokens.filter(Boolean);
  const basic = credentials.basic.filter(({ user, password }) => user !== '' && password !== '');
  if (apiKeys.length + basic.length + bearerTokens.length === 0) {
    throw new Refusal(
      503,
      'Cannot verify the post: put an api_key, a Basic user or a Bearer token under customersMailCloud in the webhook secret',
    );
  }
  const form = mediaType(request) === 'application/x-www-form-urlencoded';
  if (!form && mediaType(request) !== 'application/json') {
    throw new Refusal(
      415,
      'Cannot read the post: its content type is neither application/x-www-form-urlencoded nor application/json',
    );
  }
  const authorized = hasRightAuthorization(request.headers['authorization'], { apiKeys, basic, bearerTokens });
  const fields = readFields(request, form, authorized);
  if (!authorized && !isOneOf(fields['api_key'], apiKeys)) {
    throw new Refusal(
      401,
      'Cannot accept the post: neither its Authorization header nor its api_key is in the webhook secret',
    );
  }
  return entriesOf(fields);
}

/** Without a right header, a body that cannot be read is a body without a right key. */
function readFields(request: WebhookRequest, form: boolean, authorized: boolean): Readonly<Record<string, unknown>> {
  if (form) return Object.fromEntries(new URLSearchParams(request.body.toString()));
  let fields: unknown;
  try {
    fields = parseJson(request.body.toString(), 'the post');
  } catch (refusal) {
    if (authorized) throw refusal;
  }
  return isRecord(fields) ? fields : {};
}

function hasRightAuthorization(header: string | undefined, credentials: CustomersMailCloudCredentials): boolean {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(header ?? '') ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return isOneOf(value, credentials.bearerTokens);
    case 'basic':
      return isOneOf(
        Buffer.from(value, 'base64').toString(),
        credentials.basic.map(({ user, password }) => `${user}:${password}`),
      );
    default:
      return false;
  }
}

/** Compares every secret, and each in constant time: hashes are of one length. */
function isOneOf(given: unknown, secrets: readonly string[]): boolean {
  if (typeof given !== 'string') return false;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const givenDigest = digest(given);
  return secrets.reduce((found, secret) => timingSafeEqual(givenDigest, digest(secret)) || found, false);
}

/** `event` is keyed by event type; in a form it is JSON text. */
function entriesOf(fields: Readonly<Record<string, unknown>>): CustomersMailCloudEntry[] {
  const event = typeof fields['event'] === 'string' ? parseJson(fields['event'], 'the field event') : fields['event'];
  if (!isRecord(event))
    throw new Refusal(400, 'Cannot read the post: its field event is not an object keyed by event type');
  const entries = Object.entries(event).flatMap(([eventType, list]) =>
    (Array.isArray(list) ? list : [list]).map((entry: unknown) => ({ eventType, entry })),
  );
  refuseTooManyEvents(entries.length);
  return entries;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is of another type than documented counts as missing; the details still have it. */
const text = z._default(z.catch(z.string(), ''), '');

/** Versions 1 and 2 of an entry of `deliveries` and `bounces`, and what is known of `blocks` (its list API). */
const entrySchema = z.object({
  created: text,
  messageId: text,
  apiData: text,
  status: text,
  reason: text,
  subject: text,
  /** Version 2. */
  from: text,
  to: text,
  /** Version 1. */
  envelopeFrom: text,
  envelopeTo: text,
  /** `blocks`. */
  email: text,
});
type Entry = z.infer<typeof entrySchema>;

const PROGRESS: Readonly<Record<string, ProgressState>> = {
  queued: 'queued',
  deferred: 'deferred',
  succeeded: 'delivered',
};

/** The provider's word for a failure by event type; a first notice (`deliveries`) only where its status is `failed`. */
const FAILURES = { bounces: 'bounced', blocks: 'blocks', deliveries: 'failed' } as const;

/**
 * One entry of a post in Todoke's terms. Whatever it is: this never throws.
 *
 * @param timeZone the IANA name of the account's time zone: `created` carries no offset
 */
export function normalizeCustomersMailCloud(received: CustomersMailCloudEntry, timeZone: string): MailEvent {
  const { eventType } = received;
  const parsed = entrySchema.safeParse(received.entry);
  if (!parsed.success || !isFailureType(eventType)) return unrecognized(received);
  const entry = parsed.data;
  const facts = common(entry, received, timeZone);
  const state = Object.hasOwn(PROGRESS, entry.status) ? PROGRESS[entry.status] : undefined;
  // Progress is kept in the story of its mail; without a message id there is no story.
  if (eventType === 'deliveries' && state !== undefined && facts.messageIds.length > 0) {
    return { kind: 'progress', state, ...facts };
  }
  if (eventType === 'deliveries' && entry.status !== 'failed') return unrecognized(received);
  if (facts.messageIds.length === 0 && facts.recipient === undefined) return unrecognized(received);
  const classification = classifyCustomersMailCloud(eventType, entry.status, entry.reason);
  return {
    kind: 'failure',
    state: classification.outcome === 'unrecognized' ? 'failed' : classification.outcome,
    ...facts,
    event: FAILURES[eventType],
    type: eventType === 'deliveries' ? '' : entry.status,
    classification,
    fromEmail: entry.from || entry.envelopeFrom || undefined,
    subject: entry.subject || undefined,
    details: details(received.entry),
  };
}

function isFailureType(eventType: string): eventType is keyof typeof FAILURES {
  return Object.hasOwn(FAILURES, eventType);
}

function common(entry: Entry, received: CustomersMailCloudEntry, timeZone: string) {
  const messageIds = [...new Set([entry.messageId, entry.apiData].map(customersMailCloudMessageId))]
    .filter((id) => id !== '')
    .map((id) => boundedKey(id, PARTITION_KEY_MAX_BYTES));
  const recipient = mailboxKey(entry.to || entry.envelopeTo || entry.email);
  return {
    provider: 'customers-mail-cloud',
    messageIds,
    ...keys(received, entry, recipient),
    recipient: recipient === '' ? undefined : boundedKey(recipient, PARTITION_KEY_MAX_BYTES),
    reason: entry.reason,
    timestamp: zonedTimestamp(entry.created, timeZone),
  } as const;
}

/** There is no event id: when, what kind and which status tell one event of a mail and recipient from another. */
function keys(received: CustomersMailCloudEntry, entry: Entry | undefined, recipient: string) {
  const messageId = customersMailCloudMessageId(entry?.messageId ?? '');
  const fullMessageId = messageId === '' ? keyOfContent(received) : `${messageId}#${recipient}`;
  const eventId = entry ? `${entry.created}#${received.eventType}#${entry.status}` : keyOfContent(received);
  return {
    fullMessageId: boundedKey(fullMessageId, PARTITION_KEY_MAX_BYTES),
    eventId: boundedKey(eventId, SORT_KEY_MAX_BYTES),
  };
}

function unrecognized(received: CustomersMailCloudEntry): MailEvent {
  return {
    kind: 'unrecognized',
    provider: 'customers-mail-cloud',
    ...keys(received, undefined, ''),
    rawEvent: jsonText({ [received.eventType]: [received.entry] }),
  };
}

/** These stand in the Bounce row under names of their own; of another type than documented they stay among the details. */
const OWN_ATTRIBUTES = new Set(['messageId', 'reason', 'to', 'envelopeTo', 'email']);

function details(entry: unknown): Record<string, unknown> {
  const kept = Object.entries(entry as object).filter(
    ([name, value]) => !(OWN_ATTRIBUTES.has(name) && typeof value === 'string'),
  );
  return Object.fromEntries(kept);
}
