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
import { type Fields, otherFields, textField } from '../mail/fields.ts';
import { jsonText } from '../mail/json.ts';
import { boundedKey, keyOfContent, PARTITION_KEY_MAX_BYTES, SORT_KEY_MAX_BYTES } from '../mail/keys.ts';
import { customersMailCloudMessageId } from '../mail/message-id.ts';
import { zonedTimestamp } from '../mail/timestamp.ts';
import {
  mediaType,
  parseForm,
  parseJson,
  refuseTooManyEvents,
  WebhookRefusal,
  type WebhookRequest,
} from '../mail/webhook-request.ts';

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
 * @throws WebhookRefusal 503 where nothing is configured, 415 and 401, and once it is accepted 400 or 413
 */
export function acceptCustomersMailCloud(
  request: WebhookRequest,
  credentials: CustomersMailCloudCredentials,
): CustomersMailCloudEntry[] {
  const apiKeys = credentials.apiKeys.filter(Boolean);
  const bearerTokens = credentials.bearerTokens.filter(Boolean);
  const basic = credentials.basic.filter(({ user, password }) => user !== '' && password !== '');
  if (apiKeys.length + basic.length + bearerTokens.length === 0) {
    throw new WebhookRefusal(
      503,
      'Cannot verify the post: put an api_key, a Basic user or a Bearer token under customersMailCloud in the webhook secret',
    );
  }
  const form = isForm(request);
  const authorized = hasRightAuthorization(request.headers['authorization'], { apiKeys, basic, bearerTokens });
  const fields = readFields(request, form, authorized);
  if (!authorized && !isOneOf(fields['api_key'], apiKeys)) {
    throw new WebhookRefusal(
      401,
      'Cannot accept the post: neither its Authorization header nor its api_key is in the webhook secret',
    );
  }
  return entriesOf(fields);
}

/** The entries of a post, whoever it is from. @throws WebhookRefusal 415, 400 or 413 */
export function parseCustomersMailCloud(request: WebhookRequest): CustomersMailCloudEntry[] {
  return entriesOf(readFields(request, isForm(request), true));
}

/** @throws WebhookRefusal 415 for what is neither a form nor JSON */
function isForm(request: WebhookRequest): boolean {
  const type = mediaType(request);
  if (type === 'application/x-www-form-urlencoded') return true;
  if (type === 'application/json') return false;
  throw new WebhookRefusal(
    415,
    'Cannot read the post: its content type is neither application/x-www-form-urlencoded nor application/json',
  );
}

/** Without a right header, a body that cannot be read is a body without a right key. */
function readFields(request: WebhookRequest, form: boolean, authorized: boolean): Readonly<Record<string, unknown>> {
  if (form) return parseForm(request.body.toString());
  let fields: unknown;
  try {
    fields = parseJson(request.body, 'the post');
  } catch (refusal) {
    if (authorized) throw refusal;
  }
  return isFields(fields) ? fields : {};
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
  if (!isFields(event))
    throw new WebhookRefusal(400, 'Cannot read the post: its field event is not an object keyed by event type');
  const entries = Object.entries(event).flatMap(([eventType, list]) =>
    (Array.isArray(list) ? list : [list]).map((entry: unknown) => ({ eventType, entry })),
  );
  refuseTooManyEvents(entries.length);
  return entries;
}

/** All that an entry must be. Its fields may have any type: each is looked at where it is used. */
const fieldsSchema = z.object({});

/** The schema's own output would be a copy of each entry. */
function isFields(value: unknown): value is Fields {
  return fieldsSchema.safeParse(value).success;
}

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
  const { eventType, entry } = received;
  if (!isFields(entry) || !isKnownEventType(eventType)) return unrecognized(received);
  const facts = common(entry, received, timeZone);
  const status = textField(entry, 'status');
  const state = Object.hasOwn(PROGRESS, status) ? PROGRESS[status] : undefined;
  // Progress is kept in the story of its mail; without a message id there is no story.
  if (eventType === 'deliveries' && state !== undefined && facts.messageIds.length > 0) {
    return { kind: 'progress', state, ...facts };
  }
  if (eventType === 'deliveries' && status !== 'failed') return unrecognized(received);
  if (facts.messageIds.length === 0 && facts.recipient === undefined) return unrecognized(received);
  const classification = classifyCustomersMailCloud(eventType, status, facts.reason);
  return {
    kind: 'failure',
    state: classification.outcome,
    ...facts,
    event: FAILURES[eventType],
    type: eventType === 'deliveries' ? '' : status,
    classification,
    // Version 2 has `from` and `to`, version 1 the envelope's.
    fromEmail: textField(entry, 'from') || textField(entry, 'envelopeFrom') || undefined,
    subject: textField(entry, 'subject') || undefined,
    details: otherFields(entry, (name, value) => OWN_ATTRIBUTES.has(name) && typeof value === 'string'),
  };
}

function isKnownEventType(eventType: string): eventType is keyof typeof FAILURES {
  return Object.hasOwn(FAILURES, eventType);
}

function common(entry: Fields, received: CustomersMailCloudEntry, timeZone: string) {
  const messageId = customersMailCloudMessageId(textField(entry, 'messageId'));
  const apiData = customersMailCloudMessageId(textField(entry, 'apiData'));
  // Versions 2 and 1; `blocks` is known from its list API.
  const recipient = mailboxKey(textField(entry, 'to') || textField(entry, 'envelopeTo') || textField(entry, 'email'));
  const created = textField(entry, 'created');
  const ids = messageId === apiData ? [messageId] : [messageId, apiData];
  return {
    provider: 'customers-mail-cloud',
    messageIds: ids.filter((id) => id !== '').map((id) => boundedKey(id, PARTITION_KEY_MAX_BYTES)),
    fullMessageId: boundedKey(
      messageId === '' ? keyOfContent(received) : `${messageId}#${recipient}`,
      PARTITION_KEY_MAX_BYTES,
    ),
    // There is no event id: when, what kind and which status tell one event of a mail and recipient from another.
    eventId: boundedKey(`${created}#${received.eventType}#${textField(entry, 'status')}`, SORT_KEY_MAX_BYTES),
    recipient: recipient === '' ? undefined : boundedKey(recipient, PARTITION_KEY_MAX_BYTES),
    reason: textField(entry, 'reason'),
    timestamp: zonedTimestamp(created, timeZone),
  } as const;
}

function unrecognized(received: CustomersMailCloudEntry): MailEvent {
  const key = keyOfContent(received);
  return {
    kind: 'unrecognized',
    provider: 'customers-mail-cloud',
    fullMessageId: key,
    eventId: key,
    rawEvent: jsonText({ [received.eventType]: [received.entry] }),
  };
}

/** These stand in the Bounce row under names of their own; of another type than documented they stay among the details. */
const OWN_ATTRIBUTES = new Set(['messageId', 'reason', 'to', 'envelopeTo', 'email']);
