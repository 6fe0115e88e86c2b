import { createHash } from 'node:crypto';

/** DynamoDB's limits on key attributes, in bytes of UTF-8 (Developer Guide, "Quotas"). */
export const PARTITION_KEY_MAX_BYTES = 2048;
export const SORT_KEY_MAX_BYTES = 1024;

/**
 * `value` as it can be a key: well-formed Unicode, and where it is longer than `maxBytes`, its beginning and a hash of
 * all of it, so that it stays one key for one value.
 */
export function boundedKey(value: string, maxBytes: number): string {
  const key = value.isWellFormed() ? value : value.toWellFormed();
  // UTF-8 takes at most three bytes for a UTF-16 unit: most keys are seen to fit without counting.
  if (key.length * 3 <= maxBytes || Buffer.byteLength(key) <= maxBytes) return key;
  const mark = `…sha256:${sha256(key)}`;
  const beginning = Buffer.from(key).subarray(0, maxBytes - Buffer.byteLength(mark));
  // A character that the cut divided is replaced by U+FFFD, which takes up to two bytes more than was left of it.
  return beginning.toString().replace(/\uFFFD+$/, '') + mark;
}

/** The key of an event that carries none: the same event has the same key whenever it comes. */
export function keyOfContent(event: unknown): string {
  return `sha256:${sha256(canonicalJson(event))}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** JSON with the keys of every object in order, so that equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  return jsonText(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** JSON.stringify for anything that JSON.parse can give: also for what is nested too deeply to be written again. */
export function jsonText(value: unknown, replacer?: (key: string, part: unknown) => unknown): string {
  try {
    return JSON.stringify(value, replacer) ?? 'null';
  } catch (error) {
    if (error instanceof RangeError) return '"(nested too deeply to be kept)"';
    throw error;
  }
}

/** How many partitions a day is spread over in the `byDay` indexes, so that none of them is hot. */
export const DAY_SHARDS = 8;

/** The partition of `byDay` for a row of that time: `YYYY-MM-DD#n`, n by a hash of what tells the row from others. */
export function dayKey(isoTime: string, distinct: string): string {
  let hash = 0;
  for (let i = 0; i < distinct.length; i++) hash = (Math.imul(hash, 31) + distinct.charCodeAt(i)) | 0;
  return `${isoTime.slice(0, 10)}#${(hash >>> 0) % DAY_SHARDS}`;
}
