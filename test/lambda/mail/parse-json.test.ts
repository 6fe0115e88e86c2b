import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJsonBytes } from '../../../lambda/mail/parse-json.ts';
import { anyJson, holdsForAll } from './property.ts';

/** The JSON of what a function gives, or the kind of what it throws. */
function outcome(run: () => unknown): unknown {
  try {
    return JSON.stringify(run());
  } catch (error) {
    return error instanceof Error ? error.name : error;
  }
}

/** In pieces of every size the bytes mean what they mean to JSON.parse. */
function expectSameAsWhole(bytes: Buffer, pieceBytes: number): void {
  expect(outcome(() => parseJsonBytes(bytes, pieceBytes))).toBe(outcome(() => JSON.parse(bytes.toString())));
}

const pieceBytes = fc.integer({ min: 0, max: 64 });
const space = fc.constantFrom('', ' ', '\r\n', '\t \n', '  ');
const object = fc.dictionary(fc.string({ maxLength: 3 }), anyJson, { maxKeys: 3 });

test('an array of objects is the same in pieces as at once, however it is spaced', () => {
  const arrays = fc.tuple(fc.array(object, { maxLength: 12 }), space, space, pieceBytes);
  holdsForAll(arrays, ([objects, before, after, size]) => {
    const text = `[${before}${objects.map((value) => JSON.stringify(value)).join(`${before},${after}`)}${after}]${before}`;
    expectSameAsWhole(Buffer.from(text), size);
  });
});

test('texts, lists and objects that look like the end of an event are cut nowhere', () => {
  const tricky = fc.constantFrom('},{', '"},{"', '\\"},\r\n{', '},  {"a":1},{', ']},[{', 'ご注文},{');
  const value = fc.oneof(tricky, fc.array(fc.constant({ a: 1 })), fc.constant({ b: [{ c: {} }, { d: 1 }] }));
  holdsForAll(fc.tuple(fc.array(fc.dictionary(tricky, value), { maxLength: 8 }), pieceBytes), ([objects, size]) => {
    expectSameAsWhole(Buffer.from(JSON.stringify(objects)), size);
  });
});

test('what is no JSON is refused as it is at once: broken at any byte', () => {
  const broken = fc.tuple(fc.array(object, { minLength: 1, maxLength: 8 }), fc.nat(), fc.nat(255), pieceBytes);
  holdsForAll(broken, ([objects, at, byte, size]) => {
    const bytes = Buffer.from(JSON.stringify(objects));
    bytes[at % bytes.length] = byte;
    expectSameAsWhole(bytes, size);
    expectSameAsWhole(bytes.subarray(0, at % bytes.length), size);
  });
});

test.each([
  '[{},,{}]',
  '[{},{},]',
  '[,{},{}]',
  '[{},{}],{}',
  '[{},{}],[{},{}]',
  '[{}],{},[{}]',
  '[[{},{}]',
  '[{"a":"},{"}]',
  '[{"a":"},{},{"}]',
  '[{"a":[{},{},{}]},{}]',
  '[{},{}]]',
  '[',
  '[]',
  '[  ]',
  '{}',
  '"[{},{}]"',
  '',
  '\ufeff[{},{}]',
])('%s is what JSON.parse says it is, with a cut wherever there can be one', (text) => {
  expectSameAsWhole(Buffer.from(text), 0);
});

test('a text that is no UTF-8 is read with the same replacements', () => {
  const bytes = Buffer.from('[{"a":"x"},{"b":"yyyyyy"},{"c":"z"}]');
  for (let at = 0; at < bytes.length; at++) {
    for (const byte of [0x80, 0xc3, 0xe3, 0xff]) {
      const broken = Buffer.from(bytes);
      broken[at] = byte;
      expectSameAsWhole(broken, 0);
    }
  }
});

test.each([
  ['without spaces', ''],
  ['with spaces', ' '],
  ['with tabs', '\t'],
  ['with line feeds', '\n'],
  ['with carriage returns', '\r'],
  ['with lines that are indented', '\r\n\t  '],
])('a long array is parsed in pieces, no text is made of the whole: %s', (_, space) => {
  const event = JSON.stringify({ email: 'a@example.com', pool: { id: 1 }, reason: 'x'.repeat(400) });
  const bytes = Buffer.from(`[${space}${Array(2_000).fill(event).join(`,${space}`)}${space}]${space}`);
  const longest: number[] = [];
  const textOf = bytes.toString.bind(bytes);
  bytes.toString = (encoding, start = 0, end = bytes.length) => {
    longest.push(end - start);
    return textOf(encoding, start, end);
  };
  expect(parseJsonBytes(bytes)).toHaveLength(2_000);
  expect(longest.length).toBeGreaterThan(20);
  expect(Math.max(...longest)).toBeLessThan(34_000);
});
