/** Runs work for many items, a limited number at a time. */

/** Enough to hide the latency of a request, few enough for one connection pool. */
const CONCURRENCY = 16;

/**
 * Runs `work` for every item, for at most `concurrency` items at a time. After the first error it starts no further
 * item, and throws the error when the running ones have ended.
 */
export async function forEachConcurrently<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
  concurrency = CONCURRENCY,
): Promise<void> {
  const waiting = items.values();
  let failed = false;
  const runner = async () => {
    for (const item of waiting) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(concurrency, items.length) }, runner));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
}
