import { expect, test } from 'vitest';
import { notSent } from '../../../lambda/providers/sender.ts';
import { circuitBreaker } from '../../../lambda/sending/circuit-breaker.ts';

const down = notSent('deferred', 'provider', 'down');
const MINUTE_MS = 60_000;

test('it opens for a minute when three items are deferred', () => {
  const breaker = circuitBreaker();
  for (const id of ['1', '2', '3']) {
    expect(breaker.open(0)).toBeUndefined();
    breaker.deferred(id, down, 0);
  }
  expect(breaker.open(MINUTE_MS - 1)).toBe(down);
  expect(breaker.open(MINUTE_MS)).toBeUndefined();
});

test('one item that is deferred repeatedly does not open it', () => {
  const breaker = circuitBreaker();
  for (let n = 0; n < 10; n++) breaker.deferred('always', down, n);
  expect(breaker.open(10)).toBeUndefined();
});

test('any other answer closes it, and restarts the count', () => {
  const breaker = circuitBreaker();
  for (const id of ['1', '2', '3']) breaker.deferred(id, down, 0);
  breaker.answered();
  expect(breaker.open(1)).toBeUndefined();
  for (const id of ['4', '5']) breaker.deferred(id, down, 1);
  expect(breaker.open(1)).toBeUndefined();
});

test('after the minute it needs three items again to open', () => {
  const breaker = circuitBreaker();
  for (const id of ['1', '2', '3']) breaker.deferred(id, down, 0);
  breaker.deferred('4', down, MINUTE_MS);
  expect(breaker.open(MINUTE_MS)).toBeUndefined();
});
