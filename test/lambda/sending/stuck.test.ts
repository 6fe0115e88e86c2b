import { expect, test } from 'vitest';
import { isWaiting, whyStuck } from '../../../lambda/sending/stuck.ts';

const NOW = Date.parse('2026-11-01T12:00:00.000Z');

test.each([
  ['failed', { status: 'failed' }, 'failed'],
  ['its claim lapsed', { status: 'sending', sendingUntil: '2026-11-01T11:44:59.999Z' }, /^was being sent until 2026/],
  [
    'its claim lapsed, and may be taken up again',
    { status: 'sending', sendingUntil: '2026-11-01T11:45:00.001Z' },
    undefined,
  ],
  ['claimed', { status: 'sending', sendingUntil: '2026-11-01T12:01:00.000Z' }, undefined],
  ['sent', { status: 'sent' }, undefined],
  ['without status', {}, 'has no status'],
  ['emptied', { status: '' }, 'has no status'],
  ['emptied to NULL', { status: null }, 'has no status'],
  ['sent again by the command just now', { resentAt: '2026-11-01T11:30:00.000Z' }, undefined],
  ['sent again by the command long ago, in vain', { resentAt: '2026-11-01T10:30:00.000Z' }, 'has no status'],
])('%s', (_, item, why) => {
  const found = whyStuck(item, NOW);
  if (why instanceof RegExp) expect(found).toMatch(why);
  else expect(found).toBe(why);
});

test.each([undefined, null, ''])('a status of %j waits', (status) => expect(isWaiting(status)).toBe(true));
test.each(['sending', 'sent', 'failed', ' ', 0, false])('a status of %j does not', (status) =>
  expect(isWaiting(status)).toBe(false),
);
