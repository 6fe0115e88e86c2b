import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RAW_EVENT_MAX_BYTES, storable, storableText } from '../../../lambda/recording/storable.ts';
import { anyJson, anyText, holdsForAll } from '../mail/property.ts';
import { expectStorable } from './stored-row.ts';

const nested = (depth: number, value: unknown) =>
  JSON.parse(`${'{"a":'.repeat(depth)}${JSON.stringify(value)}${'}'.repeat(depth)}`);

/** Fields as JSON.parse returns them. */
const parsed = (json: string): Record<string, unknown> => JSON.parse(json);

describe('a text is stored', () => {
  test.each(['', '550 5.1.1 User unknown', 'メールマガジン😀', 'a\0b', 'x'.repeat(100_000), 'あ'.repeat(33_333)])(
    'unchanged if it fits',
    (text) => {
      expect(storableText(text)).toEqual({ value: text, shortened: false });
    },
  );

  test('shortened if it does not fit, with a note of its original size', () => {
    const { value, shortened } = storableText('x'.repeat(450_000));
    expect(shortened).toBe(true);
    expect(value).toBe(`${'x'.repeat(100_000)}… (shortened, 450000 bytes)`);
  });

  test('up to another limit, if one is given', () => {
    expect(storableText('12345678', 8)).toEqual({ value: '12345678', shortened: false });
    expect(storableText('123456789', 8)).toEqual({ value: '12345678… (shortened, 9 bytes)', shortened: true });
    expect(storableText('あいう', 8).value).toBe('あい… (shortened, 9 bytes)');
    expect(storableText('😀😀😀', 10).value).toBe('😀😀… (shortened, 12 bytes)');
  });

  test('with halves of surrogate pairs replaced', () => {
    expect(storableText('a\ud83db\ude00')).toEqual({ value: 'a\ufffdb\ufffd', shortened: false });
  });

  test('well-formed, for any text and any cut', () => {
    holdsForAll(fc.tuple(anyText, fc.nat(20)), ([text, maxBytes]) => {
      const { value, shortened } = storableText(text, maxBytes);
      expect(value.isWellFormed()).toBe(true);
      expect(shortened).toBe(Buffer.byteLength(text) > maxBytes);
      if (!shortened) expect(value).toBe(text.toWellFormed());
    });
  });

  test('without a long search for the place to cut', () => {
    // A search that goes back one character at a time would not end within the test's time.
    const { shortened } = storableText(`${'\ufffd'.repeat(900_000)}${'x'.repeat(4_000_000)}`, RAW_EVENT_MAX_BYTES);
    expect(shortened).toBe(true);
  });
});

describe('the fields of an event are stored', () => {
  test('unchanged', () => {
    const fields = {
      'smtp-id': '<14c5d75ce93.dfd.64b469@ismtpd-555>',
      category: ['cat facts'],
      pool: { name: 'new_MY_test', id: 210 },
      tls: 1,
      sg_machine_open: false,
      note: null,
      empty: '',
      fraction: 0.1,
      negative: -1,
      zero: 0,
      least: 1e-130,
      exact: Number.MAX_SAFE_INTEGER,
    };
    expect(storable(fields)).toEqual({ value: fields, shortened: false });
  });

  test.each([
    ['larger than JavaScript represents exactly', '9007199254740993', '9007199254740992'],
    ['larger than DynamoDB allows', '1e300', '1e+300'],
    ['smaller than DynamoDB allows', '1e-131', '1e-131'],
    ['larger than JavaScript can represent', '1e400', 'Infinity'],
    ['larger than JavaScript can represent, negative', '-1e400', '-Infinity'],
  ])('with a number as text if it is %s', (_, json, text) => {
    const { value } = storable(parsed(`{"n":${json}}`));
    expect(value).toEqual({ n: text });
    expectStorable({ details: value });
  });

  test('with names that DynamoDB or the SDK does not allow in brackets', () => {
    const { value } = storable(parsed('{"":1,"__proto__":{"":2},"constructor":3,"toString":{"__proto__":4}}'));
    expect(Object.entries(value)).toEqual([
      ['()', 1],
      ['(__proto__)', { '()': 2 }],
      ['(constructor)', 3],
      ['toString', { '(__proto__)': 4 }],
    ]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  test('with halves of surrogate pairs replaced, in names too', () => {
    expect(storable({ 'a\ud800': ['b\udfff'] }).value).toEqual({ 'a\ufffd': ['b\ufffd'] });
  });

  test('unchanged to the 16th level, deeper ones as JSON', () => {
    const { value } = storable({ a: nested(100, 'deep') });
    expectStorable({ details: value });
    expect(JSON.stringify(value)).toContain('deep');
    expect(storable({ a: nested(15, 'deep') })).toEqual({ value: { a: nested(15, 'deep') }, shortened: false });
    expect(storable({ a: nested(16, 'deep') })).toEqual({ value: { a: nested(15, '{"a":"deep"}') }, shortened: true });
  });

  test('with a mark if something was too deep to store', () => {
    const { value, shortened } = storable({ a: nested(100_000, 'deep') });
    expectStorable({ details: value });
    expect(shortened).toBe(true);
  });

  test('with a long text shortened', () => {
    const { value, shortened } = storable({ response: 'x'.repeat(450_000), ip: '192.0.2.1' });
    expect(shortened).toBe(true);
    expect(value).toEqual({ response: expect.stringMatching(/^x+… \(shortened, 450000 bytes\)$/), ip: '192.0.2.1' });
    expectStorable({ details: value });
  });

  test('whole up to 150,000 bytes, of which a value takes three, and a number 21 more', () => {
    const texts = (length: number) => ({ a: 'x'.repeat(74_996), b: 'x'.repeat(length) });
    expect(storable(texts(74_996))).toEqual({ value: texts(74_996), shortened: false });
    expect(storable(texts(74_997)).shortened).toBe(true);
    const numbers = (count: number) => ({ a: Array(count).fill(1) });
    expect(storable(numbers(6_249))).toEqual({ value: numbers(6_249), shortened: false });
    expect(storable(numbers(6_250)).value).toHaveProperty('json');
  });

  test('with all long texts shortened if they are too large together', () => {
    const fields = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`text${i}`, 'x'.repeat(90_000)]));
    const { value, shortened } = storable({ ...fields, ip: '192.0.2.1' });
    expect(shortened).toBe(true);
    expect(value['ip']).toBe('192.0.2.1');
    for (const name in fields) expect(value[name]).toMatch(/^x{2000}… \(shortened, 90000 bytes\)$/);
  });

  test('as the start of their JSON if that is still too large', () => {
    const fields = Object.fromEntries(Array.from({ length: 1_900 }, (_, i) => [`field${i}`, 'x'.repeat(1_000)]));
    const { value, shortened } = storable(fields);
    expect(shortened).toBe(true);
    expect(value).toEqual({ json: expect.stringMatching(/^\{"field0":"x+.*… \(shortened, \d+ bytes\)$/) });
  });

  test('without the 2,001st and later ones', () => {
    const fields = Object.fromEntries(Array.from({ length: 2_001 }, (_, i) => [`field${i}`, i]));
    const { value, shortened } = storable(fields);
    expect(shortened).toBe(true);
    expect(Object.keys(value)).toHaveLength(2_000);
  });

  test.each<[string, Record<string, unknown>]>([
    ['a text of 450 KB', { text: 'x'.repeat(450_000) }],
    ['a text of 150,000 three-byte characters', { text: 'あ'.repeat(150_000) }],
    ['100,000 short texts', { list: Array(100_000).fill('x') }],
    ['49,000 numbers of 16 digits', { list: Array(49_000).fill(Number.MAX_SAFE_INTEGER) }],
    ['49,000 fractions', { list: Array(49_000).fill(-1 / 3) }],
    ['100,000 empty lists', { list: Array(100_000).fill([]) }],
    ['1,000 maps of 1,000 fields', { list: Array(1_000).fill(Object.fromEntries(Array(1_000).entries())) }],
    ['a name of 70 KB', { ['n'.repeat(70_000)]: 1 }],
    ['a name of 450 KB', { ['n'.repeat(450_000)]: 1 }],
    ['a name of 40,000 three-byte characters', { ['あ'.repeat(40_000)]: 1 }],
    ['lists in lists', { list: JSON.parse('['.repeat(3_000) + ']'.repeat(3_000)) }],
    ['maps in maps, each with a text', { map: nested(20, 'x'.repeat(400_000)) }],
  ])('within all limits: %s', (_, fields) => {
    expectStorable({ details: storable(fields).value });
  });

  test('within all limits, for any fields', () => {
    const fields = fc.array(fc.tuple(anyText, anyJson)).map((entries) => Object.fromEntries(entries));
    holdsForAll(fields, (value) => expectStorable({ details: storable(value).value }));
  });

  test('within all limits, for many and large fields', () => {
    const large = fc.tuple(anyText, fc.nat(60_000)).map(([text, times]) => text.slice(0, 8).repeat(times));
    const part = fc.oneof(
      large,
      anyJson,
      fc.tuple(anyJson, fc.nat(3_000)).map(([value, times]) => Array(times).fill(value)),
    );
    const fields = fc.array(fc.tuple(anyText, part), { maxLength: 20 }).map((entries) => Object.fromEntries(entries));
    holdsForAll(fields, (value) => expectStorable({ details: storable(value).value }), 30);
  });
});
