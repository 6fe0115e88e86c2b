import { describe, expect, test } from 'vitest';
import { mailboxKeys, readLookup } from '../../../lambda/recipients/lookup.ts';
import { nearest } from '../../../lambda/recipients/nearest.ts';

describe('what a person types', () => {
  test.each([
    ['Taro@Example.JP', { email: 'taro@example.jp', idFirst: false }],
    [' 鈴木 <taro@example.jp> ', { email: 'taro@example.jp', idFirst: false }],
    ['order-1001', { email: undefined, mailId: 'order-1001', messageIds: ['order-1001'] }],
    [
      'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0',
      { email: undefined, messageIds: [expect.stringContaining('.filterdrecv'), 'LRzXl_NHStOGhQ4kofSm_A'] },
    ],
    ['<4f1c@example.com>', { idFirst: true, messageIds: ['<4f1c@example.com>', '4f1c@example.com'] }],
    [
      '4F1C@example.com',
      { idFirst: false, messageIds: ['4F1C@example.com', '<4F1C@example.com>', '<4f1c@example.com>'] },
    ],
    ['\\u003C4f1c@example.com\\u003E', { idFirst: true, messageIds: ['<4f1c@example.com>', '4f1c@example.com'] }],
    ['filter0093p1las1.9128.5717FB8127.0', { messageIds: ['filter0093p1las1.9128.5717FB8127.0'] }],
  ])('%s', (text, lookup) => {
    expect(readLookup(text)).toMatchObject(lookup);
  });
});

test('an address with an internationalized domain is looked up in both of its forms', () => {
  expect(mailboxKeys('Taro@example.jp')).toEqual(['taro@example.jp']);
  const forms = ['taro@xn--wgv71a119e.jp', 'taro@日本語.jp'];
  expect(mailboxKeys('taro@日本語.JP').toSorted()).toEqual(forms);
  expect(mailboxKeys('TARO@xn--wgv71a119e.jp').toSorted()).toEqual(forms);
});

test('the nearest address differs by two characters at most', () => {
  const known = ['taro@example.jp', 'jiro@example.jp', 'hanako@example.com'];
  expect(nearest('taor@example.jp', known)).toBe('taro@example.jp');
  expect(nearest('taro@exmple.jp', known)).toBe('taro@example.jp');
  expect(nearest('hanako@example.co', known)).toBe('hanako@example.com');
  expect(nearest('ichiro@example.jp', known)).toBe(undefined);
  expect(nearest('taro@example.jp', ['taro@example.jp'])).toBe(undefined);
});
