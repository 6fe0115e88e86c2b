import { expect, test } from 'vitest';
import { isWaiting, nextAttemptOf, oddStatusOf, whyStuck } from '../../../lambda/sending/stuck.ts';

const NOW = Date.parse('2026-11-01T12:00:00.000Z');

test.each([
  ['failed', { status: 'failed' }, 'failed'],
  ['its claim lapsed', { status: 'sending', sendingUntil: '2026-11-01T11:44:59.999Z' }, /^was not finished by 2026/],
  [
    'its claim lapsed, and may be taken up again',
    { status: 'sending', sendingUntil: '2026-11-01T11:45:00.001Z' },
    undefined,
  ],
  ['claimed', { status: 'sending', sendingUntil: '2026-11-01T12:01:00.000Z' }, undefined],
  ['deferred', { status: 'sending', nextAttemptAt: '2026-11-01T12:10:00.000123Z' }, undefined],
  ['deferred, and a little late', { status: 'sending', nextAttemptAt: '2026-11-01T11:30:00.001Z' }, undefined],
  [
    'deferred, and its next attempt never came',
    { status: 'sending', nextAttemptAt: '2026-11-01T11:29:59.999123Z' },
    'was to be tried again at 2026-11-01T11:29:59.999123Z',
  ],
  [
    'tried again late',
    { status: 'sending', nextAttemptAt: '2026-11-01T11:00:00.000Z', sendingUntil: '2026-11-01T12:01:00.000Z' },
    undefined,
  ],
  [
    'tried again, and its claim lapsed',
    { status: 'sending', nextAttemptAt: '2026-11-01T11:00:00.000Z', sendingUntil: '2026-11-01T11:05:00.000Z' },
    /^was to be tried again at/,
  ],
  ['sent', { status: 'sent' }, undefined],
  ['without status: its attributes cannot tell', {}, undefined],
  ['without status, sent again long ago', { resentAt: '2026-11-01T10:30:00.000Z' }, undefined],
  ['held back by another status', { status: 'hold' }, undefined],
])('%s', (_, item, why) => {
  const found = whyStuck(item, NOW);
  if (why instanceof RegExp) expect(found).toMatch(why);
  else expect(found).toBe(why);
});

test('only a deferred item that is not stuck has a next attempt', () => {
  const at = (nextAttemptAt: unknown, status = 'sending') => nextAttemptOf({ status, nextAttemptAt }, NOW);
  expect(at('2026-11-01T12:10:00.000123Z')).toBe('2026-11-01T12:10:00.000123Z');
  expect(at('2026-11-01T11:00:00.000Z')).toBeUndefined();
  expect(at('2026-11-01T12:10:00.000Z', 'failed')).toBeUndefined();
  expect(at(undefined)).toBeUndefined();
});

test.each<[object, string | undefined]>([
  [{ status: 'foo' }, 'has the status "foo"'],
  [{ status: 'Sent', messageId: 'm' }, 'has the status "Sent"'],
  [{ status: 1 }, 'has the status 1'],
  [{ status: false }, 'has the status false'],
  [{ status: 'sent' }, 'is sent, but has neither messageId nor error'],
  [{ status: 'sent', messageId: 'm' }, undefined],
  [{ status: 'sent', error: 'Sent, but its provider named no message id' }, undefined],
  [{ status: 'sending' }, 'is sending, but has neither sendingUntil nor nextAttemptAt'],
  [{ status: 'sending', sendingUntil: 'soon' }, 'is sending, but has neither sendingUntil nor nextAttemptAt'],
  [{ status: 'sending', sendingUntil: '2026-11-01T12:01:00.000Z' }, undefined],
  [{ status: 'sending', nextAttemptAt: '2026-11-01T12:01:00.000Z' }, undefined],
  [{ status: 'failed' }, undefined],
  [{}, undefined],
  [{ status: '' }, undefined],
  [{ status: null }, undefined],
])('the status of %j: %s', (item, odd) => expect(oddStatusOf({ ...item })).toBe(odd));

test.each([undefined, null, ''])('an item of status %j is waiting', (status) => expect(isWaiting(status)).toBe(true));
test.each(['sending', 'sent', 'failed', ' ', 0, false])('an item of status %j is not waiting', (status) =>
  expect(isWaiting(status)).toBe(false),
);
