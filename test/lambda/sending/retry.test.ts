import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HandoverError } from '../../../lambda/providers/sender.ts';
import { persist, retryHandover } from '../../../lambda/sending/retry.ts';

/** Every wait in milliseconds. Waiting takes no time; the clock goes on by it. */
const waits: number[] = [];
const sleep = async (waitMs: number) => {
  waits.push(waitMs);
  vi.setSystemTime(Date.now() + waitMs);
};

const START_MS = Date.UTC(2023, 0, 25);
const FAR_MS = START_MS + 3_600_000;

beforeEach(() => {
  waits.length = 0;
  vi.useFakeTimers({ toFake: ['Date'], now: START_MS });
  jitter(0);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** @param part from 0, the shortest waits, to 1, the longest */
function jitter(part: number) {
  vi.spyOn(Math, 'random').mockReturnValue(part);
}

const temporary = (retryAtMs?: number) => new HandoverError('temporary', 'try later', { retryAtMs });

/** Fails with each of the errors in turn, then succeeds. */
function failing(...errors: unknown[]) {
  const rest = [...errors];
  return vi.fn(async () => {
    if (rest.length > 0) throw rest.shift();
    return 'done';
  });
}

describe('a handover', () => {
  test('that succeeds is made once', async () => {
    const handOver = failing();
    expect(await retryHandover(handOver, FAR_MS, sleep)).toBe('done');
    expect(handOver).toHaveBeenCalledTimes(1);
    expect(waits).toEqual([]);
  });

  test('that fails temporarily is made again, each time twice as late', async () => {
    const handOver = failing(...Array.from({ length: 8 }, () => temporary()));
    expect(await retryHandover(handOver, FAR_MS, sleep)).toBe('done');
    expect(handOver).toHaveBeenCalledTimes(9);
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  test('is made again after a time that differs by up to half', async () => {
    jitter(0.999_999);
    await retryHandover(failing(temporary(), temporary()), FAR_MS, sleep);
    expect(waits.map(Math.round)).toEqual([500, 1_000]);
  });

  test.each(['refused', 'unauthorized'] as const)('that is %s is not made again', async (kind) => {
    const error = new HandoverError(kind, 'never');
    const handOver = failing(error);
    await expect(retryHandover(handOver, FAR_MS, sleep)).rejects.toBe(error);
    expect(handOver).toHaveBeenCalledTimes(1);
  });

  test('that is refused after it failed temporarily is not made again', async () => {
    const error = new HandoverError('refused', 'never');
    const handOver = failing(temporary(), error);
    await expect(retryHandover(handOver, FAR_MS, sleep)).rejects.toBe(error);
    expect(handOver).toHaveBeenCalledTimes(2);
  });

  test('that breaks for another reason is not made again', async () => {
    const error = new TypeError('a fault of ours');
    await expect(retryHandover(failing(error), FAR_MS, sleep)).rejects.toBe(error);
    expect(waits).toEqual([]);
  });

  test('is made again when the provider asks for it, and a little later', async () => {
    await retryHandover(failing(temporary(START_MS + 30_000)), FAR_MS, sleep);
    expect(waits).toEqual([30_250]);
  });

  test('is made again as usual where that time is past', async () => {
    await retryHandover(failing(temporary(START_MS - 30_000)), FAR_MS, sleep);
    expect(waits).toEqual([250]);
  });

  test('is given up at once where that time is after the deadline', async () => {
    const error = temporary(START_MS + 30_000);
    await expect(retryHandover(failing(error), START_MS + 20_000, sleep)).rejects.toBe(error);
    expect(waits).toEqual([]);
  });

  test('is begun no more at the deadline, and fails with its last error', async () => {
    const errors = Array.from({ length: 20 }, () => temporary());
    const begunAtMs: number[] = [];
    const handOver = async () => {
      begunAtMs.push(Date.now());
      throw errors[begunAtMs.length - 1];
    };
    const deadlineMs = START_MS + 5_000;
    await expect(retryHandover(handOver, deadlineMs, sleep)).rejects.toSatisfy((error) => error === errors[4]);
    expect(begunAtMs.map((atMs) => atMs - START_MS)).toEqual([0, 250, 750, 1_750, 3_750]);
  });

  test('is made once even where the deadline is past', async () => {
    expect(await retryHandover(failing(), START_MS - 1, sleep)).toBe('done');
    const error = temporary();
    await expect(retryHandover(failing(error), START_MS - 1, sleep)).rejects.toBe(error);
  });

  test('is given up where the pause took until the deadline', async () => {
    const error = temporary();
    const handOver = failing(error, temporary());
    const pause = async () => void vi.setSystemTime(START_MS + 5_000);
    await expect(retryHandover(handOver, START_MS + 5_000, pause)).rejects.toBe(error);
    expect(handOver).toHaveBeenCalledTimes(1);
  });

  test('counts the time that it takes', async () => {
    const handOver = vi.fn(async () => {
      vi.setSystemTime(Date.now() + 4_900);
      throw temporary();
    });
    await expect(retryHandover(handOver, START_MS + 5_000, sleep)).rejects.toThrow('try later');
    expect(handOver).toHaveBeenCalledTimes(1);
  });
});

describe('what must be done', () => {
  test('is done once where it succeeds', async () => {
    const work = vi.fn(async () => {});
    await persist(FAR_MS, work, sleep);
    expect(work).toHaveBeenCalledTimes(1);
  });

  test('is tried again whatever it throws', async () => {
    const errors = [new Error('throttled'), new HandoverError('refused', 'no'), 'text', undefined];
    const work = vi.fn(async () => {
      if (errors.length > 0) throw errors.shift();
    });
    await persist(FAR_MS, work, sleep);
    expect(work).toHaveBeenCalledTimes(5);
    expect(waits).toEqual([250, 500, 1_000, 2_000]);
  });

  test('is tried no more at the deadline, and fails with its last error', async () => {
    let count = 0;
    const work = async () => {
      throw new Error(`throttled ${++count}`);
    };
    await expect(persist(START_MS + 1_000, work, sleep)).rejects.toThrow('throttled 3');
    expect(waits).toEqual([250, 500]);
  });
});
