import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOfContent } from '../../../lambda/mail/content-key.ts';
import { canonicalJson, jsonText } from '../../../lambda/mail/json.ts';
import { messageIdFor } from '../../../lambda/mail/message-id.ts';
import {
  boundedKey,
  dayKey,
  PARTITION_KEY_MAX_BYTES,
  SORT_KEY_MAX_BYTES,
  withStorableKeys,
} from '../../../lambda/recording/keys.ts';
import { anyJson, anyText, holdsForAll, wellFormedText } from '../mail/property.ts';

/** JSON of `depth` nested objects around `value`. */
const nested = (depth: number, value: unknown) =>
  JSON.parse(`${'{"a":'.repeat(depth)}${JSON.stringify(value)}${'}'.repeat(depth)}`);

describe('a bounded key', () => {
  const long = (character: string) => fc.integer({ min: 1, max: 4000 }).map((length) => character.repeat(length));
  const value = fc.oneof(anyText, wellFormedText, long('a'), long('あ'), long('😀'), long('\ud800'), long('a\u0301'));
  const maxBytes = fc.constantFrom(SORT_KEY_MAX_BYTES, PARTITION_KEY_MAX_BYTES);

  test("has DynamoDB's limits", () => {
    expect([PARTITION_KEY_MAX_BYTES, SORT_KEY_MAX_BYTES]).toEqual([2048, 1024]);
  });

  test('is the value itself if that fits', () => {
    expect(boundedKey('<id@example.com>#user@example.jp', 1024)).toBe('<id@example.com>#user@example.jp');
    expect(boundedKey('あ'.repeat(341), 1024)).toBe('あ'.repeat(341));
  });

  test('is the start of the value and a hash if it does not fit', () => {
    expect(boundedKey('a'.repeat(1025), 1024)).toMatch(/^a{982}…sha256:[0-9a-f]{32}$/);
  });

  test('splits no character', () => {
    for (let shift = 0; shift < 4; shift++) {
      expect(boundedKey('a'.repeat(shift) + '😀'.repeat(300), 1024)).toMatch(/^a*😀+…sha256:[0-9a-f]{32}$/u);
    }
  });

  test('is never longer than its limit, is well-formed, and is the same every time', () => {
    holdsForAll(fc.tuple(value, maxBytes), ([text, limit]) => {
      const key = boundedKey(text, limit);
      expect(Buffer.byteLength(key)).toBeLessThanOrEqual(limit);
      expect(key.isWellFormed()).toBe(true);
      expect(boundedKey(text, limit)).toBe(key);
      expect(key === '').toBe(text === '');
    });
  });

  test('differs for different values, even if only their ends differ', () => {
    holdsForAll(fc.tuple(wellFormedText, wellFormedText, fc.nat(3000)), ([a, b, length]) => {
      fc.pre(a !== b);
      const beginning = 'x'.repeat(length);
      expect(boundedKey(beginning + a, 1024)).not.toBe(boundedKey(beginning + b, 1024));
    });
  });

  test('does not change if it is bounded again', () => {
    holdsForAll(value, (text) => {
      const key = boundedKey(text, SORT_KEY_MAX_BYTES);
      expect(boundedKey(key, SORT_KEY_MAX_BYTES)).toBe(key);
    });
  });
});

describe('the keys of an event', () => {
  const event = {
    kind: 'blocklisted',
    provider: 'sendgrid',
    fullMessageId: 'id',
    eventId: 'event',
    event: 'added',
    type: 'bounces',
    reason: '',
    timestamp: undefined,
    details: {},
  } as const;

  test('are kept if they fit, also if there is no recipient', () => {
    const recipient = 'ann@example.com';
    expect(withStorableKeys({ ...event, recipient })).toEqual({ ...event, recipient });
    expect(withStorableKeys({ ...event, recipient: undefined })).toEqual({ ...event, recipient: undefined });
  });

  test('are cut if they do not fit', () => {
    const long = 'a'.repeat(3_000);
    expect(withStorableKeys({ ...event, fullMessageId: long, eventId: long, recipient: long })).toEqual({
      ...event,
      fullMessageId: boundedKey(long, PARTITION_KEY_MAX_BYTES),
      eventId: boundedKey(long, SORT_KEY_MAX_BYTES),
      recipient: boundedKey(long, PARTITION_KEY_MAX_BYTES),
    });
  });

  test('are not added to an ignored event', () => {
    expect(Object.keys(withStorableKeys({ kind: 'ignored' }))).toEqual(['kind']);
  });
});

describe('canonical JSON', () => {
  test.each([
    ['names in order', { b: 1, a: 2 }, '{"a":2,"b":1}'],
    ['names in order at every level', [{ z: { d: 1, c: [{ b: 1, a: 1 }] } }], '[{"z":{"c":[{"a":1,"b":1}],"d":1}}]'],
    ['lists as they are', [3, 1, 2], '[3,1,2]'],
    ['text', 'é\ud800', '"é\\ud800"'],
    ['null', null, 'null'],
    ['nothing', undefined, 'null'],
  ])('has %s', (_, value, expected) => {
    expect(canonicalJson(value)).toBe(expected);
  });

  test('keeps names that have a meaning in JavaScript', () => {
    const value = JSON.parse('{"constructor":1,"__proto__":{"b":1,"a":2}}');
    expect(canonicalJson(value)).toBe('{"__proto__":{"a":2,"b":1},"constructor":1}');
  });

  test('is the same for the same fields in any order', () => {
    const entries = fc.uniqueArray(fc.tuple(anyText, anyJson), { selector: ([name]) => name, maxLength: 8 });
    holdsForAll(entries, (fields) => {
      expect(canonicalJson(Object.fromEntries(fields.toReversed()))).toBe(canonicalJson(Object.fromEntries(fields)));
    });
  });

  test('parses to the same value', () => {
    holdsForAll(anyJson, (value) => {
      const asJson = JSON.parse(JSON.stringify(value));
      expect(JSON.parse(canonicalJson(value))).toEqual(asJson);
    });
  });
});

describe('the key of an event without an id', () => {
  test('is a hash of its content', () => {
    expect(keyOfContent({ event: 'bounce' })).toMatch(/^sha256:[0-9a-f]{32}$/);
    expect(keyOfContent({ event: 'bounce', email: 'a@example.com' })).toBe(
      keyOfContent({ email: 'a@example.com', event: 'bounce' }),
    );
  });

  test('differs for another event', () => {
    holdsForAll(fc.tuple(anyJson, anyJson), ([a, b]) => {
      fc.pre(canonicalJson(a) !== canonicalJson(b));
      expect(keyOfContent(a)).not.toBe(keyOfContent(b));
    });
  });

  test('differs if the difference is 10,000 levels down', () => {
    expect(keyOfContent(nested(10_000, 1))).not.toBe(keyOfContent(nested(10_000, 2)));
  });
});

describe('the JSON of an event', () => {
  test('is what was received', () => {
    holdsForAll(anyJson, (value) => {
      const received = JSON.stringify(value);
      expect(jsonText(JSON.parse(received))).toBe(JSON.stringify(JSON.parse(received)));
    });
  });

  test('never fails, at any depth', () => {
    expect(() => JSON.parse(jsonText(nested(100_000, 1)))).not.toThrow();
  });

  test('is whole for an event that is nested 10,000 deep', () => {
    const whole = `${'{"a":'.repeat(10_000)}"deep"${'}'.repeat(10_000)}`;
    expect(jsonText(nested(10_000, 'deep')) === whole).toBe(true);
  });
});

describe('the partition key of a day', () => {
  test('is the day and a number from 0 to 7', () => {
    holdsForAll(anyText, (distinct) => {
      expect(dayKey('2023-01-25T05:03:06.000Z', distinct)).toMatch(/^2023-01-25#[0-7]$/);
    });
  });

  test('is the same for the same row', () => {
    expect(dayKey('2023-01-25T05:03:06.000Z', 'row')).toBe(dayKey('2023-01-25T23:59:59.000Z', 'row'));
  });

  test('is the same as in rows that are already stored', () => {
    expect(dayKey('2023-01-25T05:03:06.000Z', 'row')).toBe('2023-01-25#2');
  });

  test('spreads rows evenly', () => {
    const counts = new Map<string, number>();
    for (let row = 0; row < 8_000; row++) {
      const key = dayKey('2023-01-25T05:03:06.000Z', messageIdFor(`mail ${row}`, 'example.com'));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(8);
    for (const count of counts.values()) expect(count).toBeGreaterThan(500);
  });
});
