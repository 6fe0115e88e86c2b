/**
 * Normalizes Customers Mail Cloud's events.
 *
 * Source: Customers Mail Cloud's documentation (smtps.jp), "Webhook".
 */
import * as z from 'zod/mini';
import { mailboxKey } from '../../mail/address.ts';
import { keyOfContent } from '../../mail/content-key.ts';
import type { MailEvent, ProgressState } from '../../mail/event.ts';
import { type Fields, isFields, otherFields, textField } from '../../mail/fields.ts';
import { jsonText } from '../../mail/json.ts';
import { customersMailCloudMessageId, customersMailCloudMessageIds } from '../../mail/message-id.ts';
import { zonedTimestamp } from '../../mail/timestamp.ts';
import { classifyCustomersMailCloud } from './classification.ts';

/** An entry of a post, and the event type under which the post lists it. */
export interface CustomersMailCloudEntry {
  readonly eventType: string;
  readonly entry: unknown;
}

const entrySchema = z.object({ eventType: z.string(), entry: z.unknown() });

/** Reads an entry that was stored as JSON. A value of another shape becomes an entry with an empty event type. */
export function readEntry(stored: unknown): CustomersMailCloudEntry {
  return entrySchema.safeParse(stored).data ?? { eventType: '', entry: stored };
}

/** The entries in the JSON value of an unrecognized row's `rawEvent`, which lists them by event type. */
export function entriesOfRawEvent(raw: unknown): CustomersMailCloudEntry[] {
  if (typeof raw !== 'object' || raw === null) return [];
  return Object.entries(raw).flatMap(([eventType, entries]) =>
    [entries].flat().map((entry: unknown) => ({ eventType, entry })),
  );
}

const PROGRESS: Readonly<Record<string, ProgressState>> = {
  queued: 'queued',
  deferred: 'deferred',
  succeeded: 'delivered',
};

/**
 * The provider's name for a failure, by event type. An entry of `deliveries` is a failure only if its status is
 * `failed`.
 */
const FAILURES = { bounces: 'bounced', deliveries: 'failed' } as const;

/** Operations on the block list. Its API has the calls `blocks/cancel` and `blocks/delete`. */
const BLOCK_LIST = /^blocks(?:\/|$)/;

/**
 * Normalizes one entry of a post. Never throws.
 *
 * @param timeZone the IANA name of the account's time zone, because `created` has no offset
 */
export function normalizeCustomersMailCloud(received: CustomersMailCloudEntry, timeZone: string): MailEvent {
  const { eventType, entry } = received;
  if (BLOCK_LIST.test(eventType)) return blocklisted(received, timeZone);
  if (!isFields(entry) || !isKnownEventType(eventType)) return unrecognized(received);
  const facts = common(entry, received, timeZone);
  const status = textField(entry, 'status');
  const state = Object.hasOwn(PROGRESS, status) ? PROGRESS[status] : undefined;
  // Progress has a row only in the story of its mail. Without a message id there is no story.
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
    // `from` in version 2 of the webhook, `envelopeFrom` in version 1.
    fromEmail: textField(entry, 'from') || textField(entry, 'envelopeFrom') || undefined,
    subject: textField(entry, 'subject') || undefined,
    details: otherFields(entry, isOwnAttribute),
  };
}

function isKnownEventType(eventType: string): eventType is keyof typeof FAILURES {
  return Object.hasOwn(FAILURES, eventType);
}

function common(entry: Fields, received: CustomersMailCloudEntry, timeZone: string) {
  const messageId = customersMailCloudMessageId(textField(entry, 'messageId'));
  // `to` in version 2 of the webhook, `envelopeTo` in version 1, `email` in the block list's API.
  const recipient = mailboxKey(textField(entry, 'to') || textField(entry, 'envelopeTo') || textField(entry, 'email'));
  const created = textField(entry, 'created');
  return {
    provider: 'customers-mail-cloud',
    messageIds: customersMailCloudMessageIds(messageId, textField(entry, 'apiData')),
    fullMessageId: messageId === '' ? keyOfContent(received) : `${messageId}#${recipient}`,
    // The provider sends no event id. Time, type and status identify an event of a mail and recipient.
    eventId: `${created}#${received.eventType}#${textField(entry, 'status')}`,
    recipient: recipient === '' ? undefined : recipient,
    reason: textField(entry, 'reason'),
    timestamp: zonedTimestamp(created, timeZone),
  } as const;
}

/** A block list change. The shape of these entries is not documented, so an entry of any shape is stored. */
function blocklisted(received: CustomersMailCloudEntry, timeZone: string): MailEvent {
  const { eventType, entry } = received;
  const fields = isFields(entry) ? entry : typeof entry === 'string' ? { email: entry } : { entry };
  const { messageIds, ...facts } = common(fields, received, timeZone);
  return {
    kind: 'blocklisted',
    ...facts,
    fullMessageId: keyOfContent(received),
    event: eventType,
    type: textField(fields, 'status'),
    details: otherFields(fields, (name, value) => name !== 'messageId' && isOwnAttribute(name, value)),
  };
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

/** Fields with an attribute of their own in the Bounce row. A value of another type than documented is in `details`. */
const OWN_ATTRIBUTES = new Set(['messageId', 'reason', 'to', 'envelopeTo', 'email']);

const isOwnAttribute = (name: string, value: unknown) => OWN_ATTRIBUTES.has(name) && typeof value === 'string';
