import { describe, expect, test } from 'vitest';
import { readHeaders } from '../../../lambda/mail/headers.ts';
import { anyJson, holdsForAll } from './property.ts';

const ONE_CLICK = {
  'List-Unsubscribe': '<https://example.com/unsubscribe?u=1>',
  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
};

describe('headers are read', () => {
  test.each([undefined, null, '', ' ', {}, '{}'])('of %j: none', (value) => {
    expect(readHeaders(value)).toEqual({ headers: {}, problems: [] });
  });

  test('from a map, and from a JSON object that was typed as text', () => {
    expect(readHeaders(ONE_CLICK)).toEqual({ headers: ONE_CLICK, problems: [] });
    expect(readHeaders(JSON.stringify(ONE_CLICK))).toEqual({ headers: ONE_CLICK, problems: [] });
  });

  test('and numbers and booleans become text', () => {
    const { headers, problems } = readHeaders({
      'X-Order': 1001,
      'X-Rate': 0.5,
      'X-Long': '12345678901234567890',
      'X-Vip': true,
    });
    expect(headers).toEqual({ 'X-Order': '1001', 'X-Rate': '0.5', 'X-Long': '12345678901234567890', 'X-Vip': 'true' });
    expect(problems).toEqual([]);
  });

  test('without spaces where folding would make a line of spaces only', () => {
    expect(readHeaders({ 'X-A': `  a${' '.repeat(200)}b ` }).headers).toEqual({ 'X-A': 'a b' });
  });

  test('and non-ASCII text becomes encoded words of at most 75 characters that split no character', () => {
    const value = `${'夏のキャンペーン😀'.repeat(8)} 2026`;
    const words = readHeaders({ 'X-Campaign': value }).headers['X-Campaign']?.split(' ') ?? [];
    expect(words.length).toBeGreaterThan(3);
    expect(words.every((word) => /^=\?UTF-8\?B\?[\w+/]+=*\?=$/.test(word) && word.length <= 75)).toBe(true);
    const decoded = words.map((word) => Buffer.from(word.slice(10, -2), 'base64').toString());
    expect(decoded.join('')).toBe(value);
    expect(decoded.join('')).not.toContain('\ufffd');
  });
});

describe('the limits', () => {
  const problemsOf = (value: unknown) => readHeaders(value).problems;
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`X-${n}`, 'x']));
  const words = (length: number) =>
    'abcdefghi '
      .repeat(length / 10 + 1)
      .slice(0, length - 1)
      .concat('z');

  test('30 headers are allowed, and not 31', () => {
    expect(problemsOf(many(30))).toEqual([]);
    expect(problemsOf(many(31))).toEqual(['headers has 31 headers, at most 30 are allowed']);
  });

  test('a name of 76 characters is allowed, and not one of 77; a longer one is shown in part', () => {
    expect(problemsOf({ [`X${'a'.repeat(75)}`]: 'x' })).toEqual([]);
    expect(problemsOf({ [`X${'a'.repeat(76)}`]: 'x' })).toEqual([
      `headers: X${'a'.repeat(76)} is too long: a name has at most 76 characters`,
    ]);
    expect(problemsOf({ [`X${'a'.repeat(79)}`]: 'x' })[0]).toMatch(/^headers: Xa{79} is too long/);
    expect(problemsOf({ [`X${'a'.repeat(80)}`]: 'x' })[0]).toMatch(/^headers: "Xa{79}…" is too long/);
  });

  test('900 characters without a space are allowed, and not 901', () => {
    expect(problemsOf({ 'X-A': 'a'.repeat(900) })).toEqual([]);
    expect(problemsOf({ 'X-A': 'a'.repeat(901) })).toEqual([
      'headers: X-A has 901 characters without a space, at most 900 are allowed',
    ]);
  });

  test('10,000 characters of names and values are allowed, and not 10,001', () => {
    expect(problemsOf({ 'X-A': words(9_997) })).toEqual([]);
    expect(problemsOf({ 'X-A': words(9_998) })).toEqual(['headers has 10001 characters, at most 10000 are allowed']);
    expect(problemsOf({ 'X-A': words(10_000) })).toEqual(['headers has 10003 characters, at most 10000 are allowed']);
    expect(problemsOf({ 'X-A': words(10_001) })).toEqual([
      'headers: X-A has 10001 characters, at most 10000 are allowed for all headers',
    ]);
  });

  test('an encoded word holds 45 bytes', () => {
    const encoded = (text: string) =>
      readHeaders({ 'X-A': text })
        .headers['X-A']?.split(' ')
        .map((it) => it.length);
    expect(encoded('あ'.repeat(15))).toEqual([72]);
    expect(encoded('あ'.repeat(16))).toEqual([72, 16]);
  });

  test('names that only contain `content-` or `list-` are names like others', () => {
    expect(readHeaders({ 'X-Content-Id': 'x', 'X-List-Name': 'お知らせ' }).problems).toEqual([]);
  });

  test('a bigint is text, and text that is no JSON is refused', () => {
    expect(readHeaders({ 'X-A': 12345678901234567890n })).toEqual({
      headers: { 'X-A': '12345678901234567890' },
      problems: [],
    });
    expect(problemsOf('{')).toEqual(['headers is not a map of names and values, or a JSON object as text']);
  });
});

describe('headers are refused', () => {
  const reserved = (name: string) => `headers: ${name} is set by Todoke or the provider: remove it`;
  const own = (name: string, attribute: string) => `headers: ${name} has an attribute of its own: use ${attribute}`;

  test.each([
    ...['Date', 'Message-ID', 'Sender', 'Return-Path', 'Received', 'MIME-Version', 'DKIM-Signature', 'X-Api-Data'],
    ...['X-SG-ID', 'X-SG-EID', 'X-SMTPAPI', 'Content-Type', 'Content-Transfer-Encoding', 'Content-ID'],
  ])('%s is reserved, in any case', (name) => {
    for (const written of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(readHeaders({ [written]: 'x' })).toEqual({ headers: { [written]: '' }, problems: [reserved(written)] });
    }
  });

  test.each([
    ['From', 'from'],
    ['TO', 'to'],
    ['cc', 'cc'],
    ['Bcc', 'bcc'],
    ['reply-to', 'replyTo'],
    ['Subject', 'subject'],
  ])('%s has its own attribute', (name, attribute) => {
    expect(readHeaders({ [name]: 'x' }).problems).toEqual([own(name, attribute)]);
  });

  test.each(['\r\nBcc: eve@example.com', '\n', '\r', '\r\n x', '\0', '\t', '\x7f', '\x85', '\u001b[0m'])(
    'with a control character in the value: %j',
    (text) => {
      expect(readHeaders({ 'X-A': `a${text}b` }).problems).toEqual([
        'headers: X-A has a line break, or another control character',
      ]);
    },
  );

  test.each([
    '',
    ' ',
    'X A',
    'X:',
    ':',
    'X-夏',
    'X\r\nBcc',
    'X-A: b\r\nBcc',
    '-',
    '1',
    '__proto__',
    'X\0',
    ' To',
    'Bcc ',
  ])('with the name %j', (name) => {
    const { problems } = readHeaders(JSON.parse(`{${JSON.stringify(name)}: "x"}`));
    expect(problems).toEqual([`headers: ${JSON.stringify(name)} is not the name of a header`]);
  });

  test('with the name of a property that every JavaScript object has: it would be lost', () => {
    expect(readHeaders({ constructor: 'x' }).problems).toEqual(['headers: constructor is not the name of a header']);
  });

  test.each<[string, unknown, string]>([
    ['a list', ['X-A: b'], 'headers is not a map of names and values, or a JSON object as text'],
    ['a set', new Set(['X-A']), 'headers is not a map of names and values, or a JSON object as text'],
    ['a number', 7, 'headers is not a map of names and values, or a JSON object as text'],
    ['a header as text', 'X-A: b', 'headers is not a map of names and values, or a JSON object as text'],
    ['a JSON list', '["X-A"]', 'headers is not a map of names and values, or a JSON object as text'],
    ['a list of values', { 'X-A': ['b', 'c'] }, 'headers: X-A is not text'],
    ['a map as value', { 'X-A': { value: 'b' } }, 'headers: X-A is not text'],
    ['no value', { 'X-A': null }, 'headers: X-A is not text'],
    ['an empty value', { 'X-A': ' ' }, 'headers: X-A has no value'],
    [
      'a number that JSON rounded',
      '{"X-A": 12345678901234567890}',
      'headers: X-A is too long a number: put it into quotation marks',
    ],
    ['a name twice', { 'X-A': 'b', 'x-a': 'c' }, 'headers: x-a occurs twice'],
    [
      'a URL that is not ASCII',
      { 'List-Unsubscribe': '<https://例.jp/>' },
      'headers: List-Unsubscribe has a character that is not ASCII: encode it as in a URL',
    ],
    [
      'a name that fills a line',
      { [`X-${'a'.repeat(75)}`]: 'b' },
      `headers: X-${'a'.repeat(75)} is too long: a name has at most 76 characters`,
    ],
    [
      'a word that fills a line',
      { 'X-A': `b ${'c'.repeat(901)}` },
      'headers: X-A has 901 characters without a space, at most 900 are allowed',
    ],
    [
      'many',
      Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`X-${i}`, 'b'])),
      'headers has 31 headers, at most 30 are allowed',
    ],
    [
      'very many words',
      { 'X-A': 'a '.repeat(190_000) },
      'headers: X-A has 380000 characters, at most 10000 are allowed for all headers',
    ],
    [
      'long ones',
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`X-${i + 10}`, 'b'.repeat(497)])),
      'headers has 10020 characters, at most 10000 are allowed',
    ],
  ])('%s', (_, value, problem) => {
    expect(readHeaders(value).problems).toEqual([problem]);
  });

  test('or the result is printable ASCII, for any input', () => {
    holdsForAll(anyJson, (value) => {
      for (const typed of [value, JSON.stringify(value), { 'X-A': value }]) {
        const { headers, problems } = readHeaders(typed);
        for (const text of Object.values(headers)) expect(text).toMatch(/^[ -~]*$/);
        for (const problem of problems) expect(problem).not.toMatch(/\p{Cc}/u);
      }
    });
  });
});
