/** Repeats work that fails, until a deadline. */
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from './next-step.ts';

const LONGEST_WAIT_MS = 20_000;

/**
 * Does the work, and repeats it after any error, as long as the next try begins before the deadline.
 *
 * @param deadlineMs Unix milliseconds
 * @throws the last error
 */
export async function retryUntil(
  deadlineMs: number,
  work: () => Promise<void>,
  wait: (ms: number) => Promise<void> = sleep,
): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      return await work();
    } catch (error) {
      const waitMs = Math.min(LONGEST_WAIT_MS, backoffMs(failures, Math.random()) / 2);
      if (Date.now() + waitMs >= deadlineMs) throw error;
      await wait(waitMs);
    }
  }
}
