import { expect, test } from 'vitest';
import { erased, erasureOf, mentions, ownPartOf } from '../../../lambda/recipients/erasure.ts';

/** An address may have two forms. */
const KEYS = ['taro@example.jp', 'taro@xn--r8jz45g.jp'];
const TARO = 'Taro@Example.jp';

test.each([
  ['an event of this recipient', 'sentLog', { entry: 'event#t#1', recipient: KEYS[0] }],
  ['a log row of this recipient only', 'sentLog', { entry: 'mail', to: `["${TARO}"]`, bcc: `太郎 <${TARO}>` }],
  ['an item of this recipient only', 'mail', { id: 'a', to: `Taro <${TARO}>`, content: 'Dear Taro' }],
  ['a failure', 'bounce', { toEmail: KEYS[0] }],
  ['an unrecognized event', 'bounce', { outcome: 'unrecognized', rawEvent: `{"email":"${TARO}"}` }],
  ['a decision', 'bounce', { fullMessageId: 'recipient#taro@example.jp', eventId: 'decision#1' }],
] as const)('%s is deleted', (_, table, row) => {
  expect(erasureOf(table, row, KEYS)).toEqual({ kind: 'delete' });
});

test('the recipient is removed from lists of recipients in any form, and from an error that names it', () => {
  const row = {
    id: 'a',
    to: [{ email: 'Hanako@example.com', name: 'Hanako' }, { email: TARO }],
    cc: `${TARO}`,
    bcc: 'jiro@example.com',
    error: `Refused: ${TARO}, hanako@example.com`,
  };
  expect(erasureOf('mail', row, KEYS)).toEqual({
    kind: 'update',
    set: {
      to: '[{"email":"Hanako@example.com","name":"Hanako"}]',
      cc: undefined,
      error: 'Refused: [erased], hanako@example.com',
    },
  });
});

test('an error that does not name the recipient is kept', () => {
  const row = { id: 'a', to: `${TARO}, hanako@example.com`, error: 'Refused: hanako@example.com' };
  const set = { to: '[{"email":"hanako@example.com"}]' };
  expect(erasureOf('mail', row, KEYS)).toEqual({ kind: 'update', set });
  expect(erasureOf('mail', { ...row, error: undefined }, KEYS)).toEqual({ kind: 'update', set });
  expect(erased(row, set)).toEqual({ ...row, ...set });
});

test('the part of a row that its recipient may read has no other recipient, not even in an error', () => {
  const row = {
    id: 'a',
    subject: 'S',
    to: [{ email: 'Hanako@example.com', name: 'Hanako' }, { email: TARO }],
    cc: `花子 <hanako@例え.jp>, ${TARO}`,
    error: `Refused: ${TARO}, hanako@example.com, hanako@xn--r8jz45g.jp and hanako@例え.jp`,
  };
  expect(ownPartOf(row, KEYS)).toEqual({
    id: 'a',
    subject: 'S',
    to: [{ email: TARO }],
    cc: [{ email: TARO }],
    error: `Refused: ${TARO}, [other recipient], [other recipient] and [other recipient]`,
  });
  const alone = { id: 'b', to: TARO, error: `Refused: ${TARO}` };
  expect(ownPartOf(alone, KEYS)).toEqual({ ...alone, to: [{ email: TARO }] });
  expect(ownPartOf({ entry: 'event#1', recipient: TARO }, KEYS)).toEqual({ entry: 'event#1', recipient: TARO });
});

test('a row of other recipients is kept, and is a mention if it contains the address', () => {
  expect(erasureOf('sentLog', { entry: 'event#t#1', recipient: 'jiro@example.com' }, KEYS)).toBe(undefined);
  expect(erasureOf('bounce', { toEmail: 'jiro@example.com' }, KEYS)).toBe(undefined);
  expect(erasureOf('bounce', { toEmail: 'jiro@example.com', rawEvent: TARO }, KEYS)).toEqual({ kind: 'mention' });
  const others = { entry: 'mail', to: 'jiro@example.com' };
  expect(erasureOf('sentLog', others, KEYS)).toBe(undefined);
  expect(erasureOf('sentLog', { ...others, from: `Taro <${TARO}>` }, KEYS)).toEqual({ kind: 'mention' });
});

test('an address is found only as a whole', () => {
  for (const text of [TARO, `<${TARO}>`, `to ${TARO}.`, `{"email":"${TARO}"}`]) {
    expect(mentions({ text }, KEYS), text).toBe(true);
  }
  for (const text of [`my${TARO}`, `a.${TARO}`, `${TARO}.com`, `${TARO}-x`, 'taro@exampleXjp']) {
    expect(mentions({ text }, KEYS), text).toBe(false);
  }
  expect(mentions({ text: new Set([TARO]) }, KEYS)).toBe(true);
});

test.each([`Dear\n${TARO}`, `\t${TARO}`, JSON.stringify({ reply: `to\r\n${TARO}` }), `C:\\${TARO}`])(
  'an address is found after a line break, a tab and a backslash: %j',
  (text) => {
    expect(mentions({ text }, KEYS)).toBe(true);
  },
);

test.each(['taro@my-shop.example.jp', 'taro@xn--r8jz45g.jp', 'a-b+c/d@example.jp', "{o'brien|x}*?^$@example.jp"])(
  'every character of an address is taken literally: %s',
  (address) => {
    expect(mentions({ text: `to ${address}.` }, [address])).toBe(true);
    expect(mentions({ text: 'to someone@example.com' }, [address])).toBe(false);
  },
);
