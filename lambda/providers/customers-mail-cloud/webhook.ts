/**
 * Verifies and parses the posts of Customers Mail Cloud's webhook.
 *
 * Source: Customers Mail Cloud's documentation (smtps.jp), "Webhook".
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isFields } from '../../mail/fields.ts';
import {
  mediaType,
  parseJson,
  refuseTooManyEvents,
  WebhookRefusal,
  type WebhookRequest,
} from '../../webhooks/request.ts';
import type { CustomersMailCloudEntry } from './events.ts';

/** The credentials that a post may have. A post needs one of these values. */
export interface CustomersMailCloudCredentials {
  readonly apiKeys: readonly string[];
  readonly basic: readonly { readonly user: string; readonly password: string }[];
  readonly bearerTokens: readonly string[];
}

/**
 * Without a valid Authorization header the body is parsed to find its `api_key`. A larger body is then refused
 * unparsed.
 */
const MAX_UNVERIFIED_BYTES = 1024 * 1024;

/**
 * The entries of a post that has a valid credential: HTTP Basic or Bearer, or `api_key` in the body.
 *
 * @throws WebhookRefusal 503 if nothing is configured; 413, 415, 401; and for a verified post 400 or 413
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
      'Cannot verify the post: the webhook secret has no credentials; put an api_key, a Basic user or a Bearer token under customersMailCloud',
    );
  }
  const authorized = hasRightAuthorization(request.headers['authorization'], { apiKeys, basic, bearerTokens });
  if (!authorized && request.body.length > MAX_UNVERIFIED_BYTES) {
    throw new WebhookRefusal(
      413,
      `Cannot take a post of ${request.body.length} bytes without a valid Authorization header: at most ${MAX_UNVERIFIED_BYTES} are allowed`,
    );
  }
  const form = isForm(request);
  const fields = readFields(request, form, authorized);
  if (!authorized && !isOneOf(fields['api_key'], apiKeys)) {
    throw new WebhookRefusal(
      401,
      'Cannot accept the post: neither its Authorization header nor its api_key is in the webhook secret',
    );
  }
  return entriesOf(fields);
}

/** The entries of a post, which is not verified. @throws WebhookRefusal 415, 400 or 413 */
export function parseCustomersMailCloud(request: WebhookRequest): CustomersMailCloudEntry[] {
  return entriesOf(readFields(request, isForm(request), true));
}

/** @throws WebhookRefusal 415 if the post is neither a form nor JSON */
function isForm(request: WebhookRequest): boolean {
  const type = mediaType(request);
  if (type === 'application/x-www-form-urlencoded') return true;
  if (type === 'application/json') return false;
  throw new WebhookRefusal(
    415,
    'Cannot read the post: its content type is neither application/x-www-form-urlencoded nor application/json',
  );
}

/**
 * The fields of a body. If the post has no valid header, an unreadable body counts as empty, and so has no valid key.
 */
function readFields(request: WebhookRequest, form: boolean, authorized: boolean): Readonly<Record<string, unknown>> {
  if (form) return Object.fromEntries(new URLSearchParams(request.body.toString()));
  let fields: unknown;
  try {
    fields = parseJson(request.body.toString(), 'the post');
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

/** Compares with all secrets, each in constant time, by hashes of equal length. */
function isOneOf(given: unknown, secrets: readonly string[]): boolean {
  if (typeof given !== 'string') return false;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const givenDigest = digest(given);
  return secrets.reduce((found, secret) => timingSafeEqual(givenDigest, digest(secret)) || found, false);
}

const MAX_EVENT_TYPE_LENGTH = 100;

/** The entries in the field `event`, which lists them by event type. In a form it is JSON text. */
function entriesOf(fields: Readonly<Record<string, unknown>>): CustomersMailCloudEntry[] {
  const event = typeof fields['event'] === 'string' ? parseJson(fields['event'], 'the field event') : fields['event'];
  if (!isFields(event))
    throw new WebhookRefusal(400, 'Cannot read the post: its field event is not an object keyed by event type');
  // Each entry gets a copy of its event type.
  if (Object.keys(event).some((eventType) => eventType.length > MAX_EVENT_TYPE_LENGTH))
    throw new WebhookRefusal(400, 'Cannot read the post: an event type in its field event is too long');
  const entries = Object.entries(event).flatMap(([eventType, list]) =>
    (Array.isArray(list) ? list : [list]).map((entry: unknown) => ({ eventType, entry })),
  );
  refuseTooManyEvents(entries.length);
  return entries;
}
