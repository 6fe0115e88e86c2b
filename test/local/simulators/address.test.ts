import { expect, test } from 'vitest';
import { isMailbox } from '../../../local/simulators/address.ts';

test.each([
  'user@example.com',
  "o'neil+tag@mail.example.co.jp",
  'user@localhost',
  '"a..b"@example.jp',
  '"a b"@example.jp',
  'user@xn--r8jz45g.jp',
])('%s is a mailbox', (address) => {
  expect(isMailbox(address)).toBe(true);
});

test.each([
  '',
  'user',
  '@example.com',
  'user@',
  'user@@example.com',
  '.user@example.jp',
  'a..b@example.jp',
  'user.@example.jp',
  'user@example..jp',
  'user@[192.0.2.1]',
  'User <user@example.com>',
  'user@example.com ',
  'ユーザー@example.jp',
  `${'u'.repeat(250)}@example.com`,
])('%j is not a mailbox', (address) => {
  expect(isMailbox(address)).toBe(false);
});
