import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { retryUntil } from '../../../lambda/sending/retry.ts';

/** Every wait in milliseconds. Waiting takes no real time, but advances the clock. */
const waits: number[] = [];
const sleep = async (waitMs: number) => {
  waits.push(waitMs);
  vi.setSystemTime(Date.now() + waitMs);
};

const START_MS = Date.UTC(2023, 0, 25);

beforeEach(() => {
  waits.length = 0;
  vi.useFakeTimers({ toFake: ['Date'], now: START_MS });
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('a write that succeeds is made once', async () => {
  const work = vi.fn(async () => {});
  await retryUntil(START_MS + 1, work, sleep);
  expect(work).toHaveBeenCalledTimes(1);
});

test('a write is retried after any error, with growing delays of up to 20 s', async () => {
  const errors: unknown[] = [new Error('throttled'), 'text', undefined, 1, 2, 3, 4, 5, 6];
  const work = vi.fn(async () => {
    if (errors.length > 0) throw errors.shift();
  });
  await retryUntil(START_MS + 3_600_000, work, sleep);
  expect(work).toHaveBeenCalledTimes(10);
  expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
});

test('no attempt starts after the deadline, and the last error is thrown', async () => {
  let count = 0;
  const work = async () => {
    throw new Error(`throttled ${++count}`);
  };
  await expect(retryUntil(START_MS + 1_000, work, sleep)).rejects.toThrow('throttled 3');
  expect(waits).toEqual([250, 500]);
});
