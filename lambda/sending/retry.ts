/** Tries again, until a deadline. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HandoverError } from '../providers/sender.ts';
import type { Pause } from './places.ts';

/** First wait, and longest one. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 20_000;

/**
 * Tries a handover again while it fails temporarily: after the time that the provider names, else exponentially later
 * with jitter, as long as the next try begins before the deadline.
 *
 * @param deadlineMs Unix milliseconds
 * @param pause may take longer than it is told to
 * @throws the last HandoverError
 */
export async function retryHandover<Result>(
  handOver: () => Promise<Result>,
  deadlineMs: number,
  pause: Pause,
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await handOver();
    } catch (error) {
      if (!(error instanceof HandoverError) || error.kind !== 'temporary') throw error;
      const askedMs = error.retryAtMs === undefined ? 0 : Math.max(0, error.retryAtMs - Date.now());
      const waitMs = askedMs + backoffMs(attempt);
      if (Date.now() + waitMs >= deadlineMs) throw error;
      await pause(waitMs);
      if (Date.now() >= deadlineMs) throw error;
    }
  }
}

/**
 * Does what must be done: again and again, whatever it throws, as long as the next try begins before the deadline.
 *
 * @param deadlineMs Unix milliseconds
 * @throws the last error
 */
export async function persist(
  deadlineMs: number,
  work: () => Promise<void>,
  wait: (ms: number) => Promise<void> = sleep,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const waitMs = backoffMs(attempt);
      if (Date.now() + waitMs >= deadlineMs) throw error;
      await wait(waitMs);
    }
  }
}

/** Twice as long with every attempt, up to a limit, and a random part of it so that not all try at one time. */
function backoffMs(attempt: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}
