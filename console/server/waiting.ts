/** How long items have been seen without a status. */
import { NORMAL_WAIT_MS } from '../../lambda/sending/stuck.ts';

/** The number of items to remember; the ones seen longest ago are dropped. */
const MAX_ITEMS = 10_000;

/** Nothing in an item says when it was put: so the server remembers since when it has seen one without a status. */
export class WaitingItems {
  readonly #sinceMs = new Map<string, number>();

  /**
   * Sees an item.
   *
   * @param resentAt of the item: sent again, it waits from the start
   * @returns whether it waits longer than normal
   */
  see(id: string, { isWaiting, resentAt }: { isWaiting: boolean; resentAt?: unknown }, nowMs: number): boolean {
    const key = JSON.stringify([id, resentAt]);
    const sinceMs = this.#sinceMs.get(key);
    this.#sinceMs.delete(key);
    if (!isWaiting) return false;
    // Those that were seen last stand last.
    this.#sinceMs.set(key, sinceMs ?? nowMs);
    for (const oldest of this.#sinceMs.keys()) {
      if (this.#sinceMs.size <= MAX_ITEMS) break;
      this.#sinceMs.delete(oldest);
    }
    return sinceMs !== undefined && nowMs - sinceMs >= NORMAL_WAIT_MS;
  }
}
