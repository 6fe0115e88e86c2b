/** Remembers how long items have been without a status. */
import { NORMAL_WAIT_MS } from '../../lambda/sending/stuck.ts';

/** The most items to remember. Those that were seen longest ago are dropped. */
const MAX_ITEMS = 10_000;

/** An item does not say when it was put. So the server remembers when it first saw it without a status. */
export class WaitingItems {
  readonly #sinceMs = new Map<string, number>();

  /**
   * Sees an item.
   *
   * @param resentAt of the item. After it was sent again, its wait starts anew
   * @returns whether it waits longer than normal
   */
  see(id: string, { isWaiting, resentAt }: { isWaiting: boolean; resentAt?: unknown }, nowMs: number): boolean {
    const key = JSON.stringify([id, resentAt]);
    const sinceMs = this.#sinceMs.get(key);
    this.#sinceMs.delete(key);
    if (!isWaiting) return false;
    // Moves the item to the end of the map.
    this.#sinceMs.set(key, sinceMs ?? nowMs);
    for (const oldest of this.#sinceMs.keys()) {
      if (this.#sinceMs.size <= MAX_ITEMS) break;
      this.#sinceMs.delete(oldest);
    }
    return sinceMs !== undefined && nowMs - sinceMs >= NORMAL_WAIT_MS;
  }
}
