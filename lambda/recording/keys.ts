/** Makes keys that fit DynamoDB's limits, and the partition key of the indexes `byDay`. */
import { sha256 } from '../mail/content-key.ts';
import type { MailEvent } from '../mail/event.ts';

/** DynamoDB's limits on key attributes, in bytes of UTF-8 (Developer Guide, "Quotas"). */
export const PARTITION_KEY_MAX_BYTES = 2048;
export const SORT_KEY_MAX_BYTES = 1024;

/**
 * `value` as a key. It is well-formed Unicode. A value that is longer than `maxBytes` is cut, and ends with a hash of
 * the whole value, so that different values have different keys.
 */
export function boundedKey(value: string, maxBytes: number): string {
  const key = value.toWellFormed();
  if (Buffer.byteLength(key) <= maxBytes) return key;
  const mark = `…sha256:${sha256(key)}`;
  return utf8Beginning(key, maxBytes - Buffer.byteLength(mark)) + mark;
}

/** A message id as the key of a story. */
export const storableMessageId = (id: string): string => boundedKey(id, PARTITION_KEY_MAX_BYTES);

/** The event with its ids and its recipient cut to fit into keys. */
export function withStorableKeys<Event extends MailEvent>(event: Event): Event {
  if (event.kind === 'ignored') return event;
  const ids = {
    fullMessageId: boundedKey(event.fullMessageId, PARTITION_KEY_MAX_BYTES),
    eventId: boundedKey(event.eventId, SORT_KEY_MAX_BYTES),
  };
  if (event.kind === 'unrecognized') return { ...event, ...ids };
  const recipient = event.recipient === undefined ? undefined : boundedKey(event.recipient, PARTITION_KEY_MAX_BYTES);
  if (event.kind === 'blocklisted') return { ...event, ...ids, recipient };
  const messageIds = event.messageIds.map(storableMessageId);
  return { ...event, ...ids, recipient, messageIds };
}

/** The longest beginning of a text that has at most `maxBytes` in UTF-8. No character is cut in two. */
export function utf8Beginning(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  let end = Math.min(maxBytes, bytes.length);
  // Bytes 10xxxxxx continue a character.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString();
}

/** The number of partitions for a day in the indexes `byDay`, so that none of them is hot. */
export const DAY_PARTITIONS = 8;

/**
 * The partition key in `byDay` for a row of that time: `YYYY-MM-DD#n`, n by a hash of `distinct`.
 *
 * @param distinct different for each row
 */
export function dayKey(isoTime: string, distinct: string): string {
  let hash = 0;
  for (let i = 0; i < distinct.length; i++) hash = (Math.imul(hash, 31) + distinct.charCodeAt(i)) | 0;
  return `${isoTime.slice(0, 10)}#${(hash >>> 0) % DAY_PARTITIONS}`;
}
