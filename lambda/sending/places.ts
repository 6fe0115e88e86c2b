/** Bounds how much is done at one time. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits, and lets another have the place meanwhile; then takes one again. */
export type Pause = (waitMs: number) => Promise<void>;

/** Runs work as soon as there is a place for it. */
export type Places = <Result>(work: (pause: Pause) => Promise<Result>) => Promise<Result>;

/** Places for so much work at one time. All else waits for one: first come, first served. */
export function places(count: number, wait: (ms: number) => Promise<void> = sleep): Places {
  let free = count;
  const waiting: (() => void)[] = [];

  async function take(): Promise<void> {
    if (free === 0) return new Promise((resolve) => waiting.push(resolve));
    free--;
  }

  /** To the next one directly, so that nobody comes between. */
  function give(): void {
    const next = waiting.shift();
    if (next) next();
    else free++;
  }

  async function pause(waitMs: number): Promise<void> {
    give();
    await wait(waitMs);
    await take();
  }

  return async (work) => {
    await take();
    try {
      return await work(pause);
    } finally {
      give();
    }
  };
}
