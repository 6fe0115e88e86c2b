import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Address,
  mailboxKey,
  parseAddresses,
  quotedIfNeeded,
  readAddresses,
} from '../../../lambda/mail/address.ts';
import { anyJson, anyText, holdsForAll } from './property.ts';

const ann = { email: 'ann@example.com', name: 'Ann' };
const bob = { email: 'bob@example.com' };

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?$/);
const email = fc
  .tuple(fc.stringMatching(/^[\w!#$%&'*+/=?^`{|}~.-]{1,20}$/), fc.array(label, { minLength: 1, maxLength: 4 }))
  .map(([local, labels]) => `${local}@${labels.join('.')}`);
const name = anyText.map((text) => text.replace(/[\p{Cc}\s]+/gu, ' ').trim());
const address = fc.tuple(email, name).map(([email, name]): Address => (name === '' ? { email } : { email, name }));

describe('an address is read', () => {
  test.each<[string, unknown, Address[]]>([
    ['from a JSON string', '{"email":"ann@example.com","name":"Ann"}', [ann]],
    ['from a JSON string without a name', '{"email":"bob@example.com"}', [bob]],
    ['from a JSON string with more fields', '{"email":"bob@example.com","id":7}', [bob]],
    ['from a JSON array', '[{"email":"ann@example.com","name":"Ann"},{"email":"bob@example.com"}]', [ann, bob]],
    ['from a JSON array of plain addresses', '["Ann <ann@example.com>","bob@example.com"]', [ann, bob]],
    ['from JSON between spaces', ' \n{"email":"bob@example.com"} ', [bob]],
    ['from a map', ann, [ann]],
    ['from a map whose name is null', { email: 'bob@example.com', name: null }, [bob]],
    ['from a map whose name is empty', { email: 'bob@example.com', name: ' ' }, [bob]],
    ['from a list of maps', [ann, bob], [ann, bob]],
    ['from a list of JSON strings', ['{"email":"bob@example.com"}', 'Ann <ann@example.com>'], [bob, ann]],
    ['from a set of strings', new Set(['bob@example.com', 'Ann <ann@example.com>']), [bob, ann]],
    ['as it is', 'bob@example.com', [bob]],
    ['between spaces', '  bob@example.com\t', [bob]],
    ['in angle brackets', '<bob@example.com>', [bob]],
    ['with a name', 'Ann <ann@example.com>', [ann]],
    ['with a name and no space', 'Ann<ann@example.com>', [ann]],
    ['with spaces everywhere', '  Ann   < ann@example.com > ', [ann]],
    ['with a name in quotation marks', '"Ann" <ann@example.com>', [ann]],
    ['with a comma in its name', '"Doe, Ann" <ann@example.com>', [{ ...ann, name: 'Doe, Ann' }]],
    [
      'with quotation marks in its name',
      String.raw`"Ann \"A\\B\" Doe" <ann@example.com>`,
      [{ ...ann, name: 'Ann "A\\B" Doe' }],
    ],
    ['with angle brackets in its name', '"Ann <A>" <ann@example.com>', [{ ...ann, name: 'Ann <A>' }]],
    ['with square brackets at the front of its name', '[Shop] <ann@example.com>', [{ ...ann, name: '[Shop]' }]],
    ['with a Japanese name', '山田 太郎 <taro@example.jp>', [{ email: 'taro@example.jp', name: '山田 太郎' }]],
    ['among others', 'Ann <ann@example.com>, bob@example.com', [ann, bob]],
    ['between superfluous commas', ', bob@example.com,, ', [bob]],
    [
      'among others with commas in their names',
      '"Doe, Ann" <ann@example.com>,bob@example.com',
      [{ ...ann, name: 'Doe, Ann' }, bob],
    ],
  ])('%s', (_, typed, expected) => {
    expect(parseAddresses(typed)).toEqual(expected);
  });

  // Japanese mobile carriers issued many such addresses: https://support.sendgrid.kke.co.jp/hc/ja/articles/360000019762
  test.each<[string, unknown, string?]>([
    ['alone', '"ab..cde"@docomo.ne.jp'],
    ['behind a name', '佐藤 <"ab..cde"@docomo.ne.jp>', '佐藤'],
    ['behind a name in quotation marks', '"佐藤, 花" <"ab..cde"@docomo.ne.jp>', '佐藤, 花'],
    ['in an object', { email: '"ab..cde"@docomo.ne.jp', name: '佐藤' }, '佐藤'],
    ['in JSON', '{"email":"\\"ab..cde\\"@docomo.ne.jp","name":"佐藤"}', '佐藤'],
    ['in a list of texts', ['佐藤 <"ab..cde"@docomo.ne.jp>'], '佐藤'],
    ['with an escape that needs none', String.raw`"ab\..cde"@docomo.ne.jp`],
  ])('with a quoted local part, %s: without its quotation marks', (_, typed, name) => {
    expect(parseAddresses(typed)).toEqual([{ email: 'ab..cde@docomo.ne.jp', ...(name !== undefined && { name }) }]);
  });

  test('with a quoted local part among others', () => {
    expect(parseAddresses('"ab..cde"@docomo.ne.jp, ".a"@docomo.ne.jp,bob@example.com')).toEqual([
      { email: 'ab..cde@docomo.ne.jp' },
      { email: '.a@docomo.ne.jp' },
      bob,
    ]);
  });

  test.each([
    ['山田　太郎 <bounce@example.com>', '山田　太郎'],
    ['株式会社　さくら <shop@example.com>', '株式会社　さくら'],
    ['"Ann\u00a0Doe" <ann@example.com>', 'Ann\u00a0Doe'],
    ['👩‍👧 <ann@example.com>', '👩‍👧'],
  ])('with the spaces of its name as they were typed: %s', (typed, name) => {
    expect(parseAddresses(typed)[0]?.name).toBe(name);
  });

  test.each([
    ['ガ'.normalize('NFD'), 'ガ'],
    ['cafe\u0301', 'caf\u00e9'],
    ['ｅｘａｍｐｌｅ', 'example'],
  ])('with a domain in the form in which it is looked up: %j as %j', (written, domain) => {
    expect(parseAddresses(`taro@${written}.jp`)).toEqual([{ email: `taro@${domain}.jp` }]);
  });

  test.each(['उदाहरण.परीक्षा', 'ตัวอย่าง.ไทย', 'உதாரணம்.இந்தியா', 'မြန်မာ.com'])(
    'with a domain whose script has combining marks: %s',
    (domain) => {
      expect(parseAddresses(`a@${domain}`)).toEqual([{ email: `a@${domain.normalize('NFC')}` }]);
    },
  );

  test.each([undefined, null, '', '   ', [], '[]', [[], '', null], new Set()])('not from %j', (typed) => {
    expect(parseAddresses(typed)).toEqual([]);
  });

  test.each([
    "o'neil+tag_1=x/y@mail.example.co.jp",
    '!#$%&*-?^`{|}~@example.com',
    'a..b@example.jp',
    'user@localhost',
    'user@xn--r8jz45g.jp',
    'ユーザー@例え.jp',
    'USER@EXAMPLE.COM',
    `${'a'.repeat(64)}@example.com`,
    `a@${'b'.repeat(63)}.example.com`,
    `aa@${'b.'.repeat(125)}c`,
  ])('as it was typed: %s', (email) => {
    expect(parseAddresses(email)).toEqual([{ email }]);
  });
});

describe('text that is not an address is refused, and the error quotes it', () => {
  test.each([
    ['ann', 'Cannot use "ann": it is not an e-mail address'],
    ['ann@', 'Cannot use "ann@": it is not an e-mail address'],
    ['@example.com', 'Cannot use "@example.com": it is not an e-mail address'],
    ['ann@@example.com', 'Cannot use "ann@@example.com": it is not an e-mail address'],
    ['ann@example..com', 'Cannot use "ann@example..com": it is not an e-mail address'],
    ['ann@-example.com', 'Cannot use "ann@-example.com": it is not an e-mail address'],
    ['ann@exam_ple.com', 'Cannot use "ann@exam_ple.com": it is not an e-mail address'],
    ['ann smith@example.com', 'Cannot use "ann smith@example.com": it is not an e-mail address'],
    ['ann@example.com bob@example.com', 'Cannot use "ann@example.com bob@example.com": it is not an e-mail address'],
    ['ann@example.com; bob@example.com', 'Cannot use "ann@example.com; bob@example.com": it is not an e-mail address'],
    ['ann@example.com, bob', 'Cannot use "bob": it is not an e-mail address'],
    ['Ann <ann>', 'Cannot use "ann": it is not an e-mail address'],
    ['Ann <>', 'Cannot use "Ann <>": it is not an e-mail address'],
    [`${'a'.repeat(65)}@b.c`, `Cannot use "${'a'.repeat(65)}@b.c": it is not an e-mail address`],
    [`a@${'b.'.repeat(130)}c`, `Cannot use "a@${'b.'.repeat(39)}…": it is not an e-mail address`],
    [`aaa@${'b.'.repeat(125)}c`, `Cannot use "aaa@${'b.'.repeat(38)}…": it is not an e-mail address`],
    ['x'.repeat(80), `Cannot use "${'x'.repeat(80)}": it is not an e-mail address`],
    ['ann@example.com>', 'Cannot use "ann@example.com>": it is not an e-mail address'],
    ['Ann <a,b@example.com>', 'Cannot use "a,b@example.com": it is not an e-mail address'],
    ['" <ann@example.com>', 'Cannot use "\\" <ann@example.com>": it is not an e-mail address'],
    ['Ann "A" <ann@example.com>', 'Cannot use "Ann \\"A\\" <ann@example.com>": it is not an e-mail address'],
    ['"A" Ann <ann@example.com>', 'Cannot use "\\"A\\" Ann <ann@example.com>": it is not an e-mail address'],
    ['{"email":"ann"}', 'Cannot use "ann": it is not an e-mail address'],
    ['{"email":', 'Cannot read "{\\"email\\":" as an address: it starts like JSON, but is not valid JSON'],
    ['{"mail":"ann@example.com"}', 'Cannot read "{\\"mail\\":\\"ann@example.com\\"}" as an address: it has no email'],
    [{ name: 'Ann' }, 'Cannot read "{\\"name\\":\\"Ann\\"}" as an address: it has no email'],
    [{ email: null }, 'Cannot read "{\\"email\\":null}" as an address: it has no email'],
    [7, 'Cannot read "7" as an address: it has no email'],
    [true, 'Cannot read "true" as an address: it has no email'],
    [[['ann@example.com'], false], 'Cannot read "false" as an address: it has no email'],
  ])('%j', (typed, message) => {
    expect(() => parseAddresses(typed)).toThrow(new Error(message));
  });

  test.each([
    ['taro\u200b@example.jp', 'taro<U+200B>@example.jp', 'U+200B'],
    ['taro@example.jp\u200b', 'taro@example.jp<U+200B>', 'U+200B'],
    ['taro@exam\u00adple.jp', 'taro@exam<U+00AD>ple.jp', 'U+00AD'],
    ['Taro <\u202ataro@example.jp\u202c>', '<U+202A>taro@example.jp<U+202C>', 'U+202A'],
    ['ta\ufeffro@example.jp', 'ta<U+FEFF>ro@example.jp', 'U+FEFF'],
    [{ email: 'taro@\u2060example.jp' }, 'taro@<U+2060>example.jp', 'U+2060'],
    ['"ta..\u200dro"@example.jp', 'ta..<U+200D>ro@example.jp', 'U+200D'],
    ['taro\u{e0041}@example.jp', 'taro<U+E0041>@example.jp', 'U+E0041'],
  ])('an invisible character, which is named: %j', (typed, quoted, name) => {
    expect(() => parseAddresses(typed)).toThrow(
      new Error(`Cannot use "${quoted}": it has an invisible character, ${name}; type the address again`),
    );
  });

  test('a number that DynamoDB can store but JavaScript cannot represent', () => {
    expect(() => parseAddresses(12345678901234567890n)).toThrow(/^Cannot read "12345678901234567890" as an address/);
    expect(() => parseAddresses({ id: 12345678901234567890n })).toThrow(
      new Error('Cannot read "{\\"id\\":\\"12345678901234567890\\"}" as an address: it has no email'),
    );
  });

  test('nested lists, deeper than DynamoDB allows, also with JSON inside', () => {
    const lists = (depth: number, value: unknown): unknown => (depth === 0 ? value : [lists(depth - 1, value)]);
    const tooDeep = new Error('Cannot read "lists in lists in lists" as an address: it is nested too deeply');
    expect(parseAddresses(lists(32, 'bob@example.com'))).toEqual([bob]);
    expect(() => parseAddresses(lists(33, 'bob@example.com'))).toThrow(tooDeep);
    expect(parseAddresses(lists(30, '["bob@example.com"]'))).toEqual([bob]);
    expect(() => parseAddresses(lists(31, '["bob@example.com"]'))).toThrow(tooDeep);
  });

  test('lists nested 20,000 deep', () => {
    expect(() => parseAddresses('['.repeat(20_000) + ']'.repeat(20_000))).toThrow(/^Cannot read /);
  });

  test.each([
    ['spaces', `a${' '.repeat(600_000)}b`],
    ['angle brackets', '<'.repeat(600_000)],
    ['escaped quotation marks', '\\"'.repeat(600_000)],
    // A search that restarts at each of them would not end within the test's time.
  ])('600,000 %s, without a long search', (_, typed) => {
    expect(() => parseAddresses(typed)).toThrow(/^Cannot use /);
  });
});

describe('an address cannot add a header', () => {
  test.each([
    'Ann\r\nBcc: eve@example.com',
    'Ann\nBcc: eve@example.com',
    'Ann\0\r\n\tBcc: eve@example.com',
    'Ann\u2028Bcc: eve@example.com',
    'Ann\u0085Bcc: eve@example.com',
  ])('by a line break in a name: %j', (name) => {
    expect(parseAddresses({ email: 'ann@example.com', name })).toEqual([
      { email: 'ann@example.com', name: 'Ann Bcc: eve@example.com' },
    ]);
  });

  test.each([
    'ann@example.com\r\nBcc: eve@example.com',
    'ann\r\n@example.com',
    'ann@example.com\0',
    'ann@example.com>\r\nBcc:<eve@example.com',
    '"ann\n"@example.com',
    'ann@example.com\u2028',
  ])('by a line break in an address: %j', (email) => {
    expect(() => parseAddresses([{ email: `${email}x` }])).toThrow(/^Cannot use /);
  });

  test('with any text', () => {
    holdsForAll(
      fc.oneof(
        anyText,
        anyText.map((name) => ({ email: 'ann@example.com', name })),
      ),
      (typed) => {
        for (const { email, name = '' } of readAddresses(typed)) {
          expect(email).toMatch(/^[^\s\p{Cc}<>,;"]+@[^\s\p{Cc}<>,;"]+$/u);
          expect(name).not.toMatch(/[\p{Cc}\r\n\u2028\u2029]/u);
        }
      },
    );
  });
});

test('any input either gives addresses or throws the documented error', () => {
  holdsForAll(
    fc.oneof(
      anyText,
      anyJson,
      anyJson.map((value) => JSON.stringify(value)),
    ),
    (typed) => {
      try {
        parseAddresses(typed);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect(String(error)).toMatch(/^Error: Cannot (use|read) "/);
      }
    },
  );
});

describe('written addresses can be read again', () => {
  const quoted = ({ email, name = '' }: Address) => `"${name.replace(/[\\"]/g, '\\$&')}" <${email}>`;

  test('as JSON of one address and of several, as log rows have them', () => {
    holdsForAll(address, (value) => expect(parseAddresses(JSON.stringify(value))).toEqual([value]));
    holdsForAll(fc.array(address), (values) => expect(parseAddresses(JSON.stringify(values))).toEqual(values));
  });

  test('as a name in quotation marks before an address in angle brackets', () => {
    holdsForAll(address, (value) => expect(parseAddresses(quoted(value))).toEqual([value]));
  });

  test('as a list of these', () => {
    holdsForAll(fc.array(address), (values) => {
      expect(parseAddresses(values.map(quoted).join(', '))).toEqual(values);
    });
  });
});

describe('rows that other programs wrote', () => {
  test("are read like Todoke's own", () => {
    expect(readAddresses('Ann <ann@example.com>, bob@example.com')).toEqual([ann, bob]);
  });

  test.each([undefined, 'ann', '{"email":', 7, { name: 'Ann' }, [[]]])('%j gives no address', (value) => {
    expect(readAddresses(value)).toEqual([]);
  });

  test('keep an address with an invisible character: the mail went there', () => {
    expect(readAddresses('太郎 <taro\u200b@example.jp>')).toEqual([{ email: 'taro\u200b@example.jp', name: '太郎' }]);
  });

  test('keep their good addresses beside a bad one', () => {
    expect(readAddresses([ann, { email: 'ann' }, bob])).toEqual([ann, bob]);
  });
});

describe('every form of an address has the same key', () => {
  test.each([
    ['Ann@Example.COM', 'ann@example.com'],
    ['a..b@docomo.ne.jp', 'a..b@docomo.ne.jp'],
    ['"A..b"@docomo.ne.jp', 'a..b@docomo.ne.jp'],
    [String.raw`"a\"b"@example.jp`, 'a"b@example.jp'],
    ['', ''],
    ['no address', 'no address'],
    ['taro@例え.jp', 'taro@xn--r8jz45g.jp'],
    ['taro@xn--r8jz45g.jp', 'taro@xn--r8jz45g.jp'],
    ['Taro@XN--R8JZ45G.JP', 'taro@xn--r8jz45g.jp'],
    ['"ta..ro"@例え.jp', 'ta..ro@xn--r8jz45g.jp'],
    ['ユーザー@例え.jp', 'ユーザー@xn--r8jz45g.jp'],
    [`${'ガ'.normalize('NFD')}@example.jp`, 'ガ@example.jp'],
    [`a@${'ガ'.normalize('NFD')}.jp`, 'a@xn--mck.jp'],
    ['a@ガ.jp', 'a@xn--mck.jp'],
    ['a@उदाहरण.परीक्षा', 'a@xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g'],
    // A domain that is not valid is not changed: events may contain any text.
    ['a@例え.jp/x@y', 'a@例え.jp/x@y'],
    ['a@例え:80', 'a@例え:80'],
    ['a@例え\u200b.jp', 'a@例え\u200b.jp'],
    ['\ud800@\ud800', '\ud800@\ud800'],
  ])('%j is looked up as %j', (email, key) => {
    expect(mailboxKey(email)).toBe(key);
  });

  test('the key of a key is the key itself', () => {
    holdsForAll(anyText, (text) => {
      const key = mailboxKey(text);
      if (!key.startsWith('"')) expect(mailboxKey(key)).toBe(key);
    });
  });

  test('with or without the quotation marks that a provider needs', () => {
    holdsForAll(email, (value) => expect(mailboxKey(quotedIfNeeded(value))).toBe(mailboxKey(value)));
  });
});

describe('an address that is valid only with quotation marks gets them', () => {
  test.each([
    ['a..b@docomo.ne.jp', '"a..b"@docomo.ne.jp'],
    ['.a@docomo.ne.jp', '".a"@docomo.ne.jp'],
    ['a.@docomo.ne.jp', '"a."@docomo.ne.jp'],
    ["o'neil+tag_1=x/y@example.co.jp", "o'neil+tag_1=x/y@example.co.jp"],
    ['a.b@example.com', 'a.b@example.com'],
    ['ann.b.smith@example.com', 'ann.b.smith@example.com'],
    ['ユーザー@例え.jp', 'ユーザー@例え.jp'],
  ])('%s goes out as %s', (email, sent) => {
    expect(quotedIfNeeded(email)).toBe(sent);
  });
});
