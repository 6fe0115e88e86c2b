/** Notices that a provider takes nothing, so that no message waits for it in vain. */
import type { NotSent } from '../providers/sender.ts';

/** So many different items that are deferred, with no other answer between them, mean that the provider is down. */
const FAILURES = 3;
/** How long nothing is handed over then. */
const PAUSE_MS = 60_000;

/** For one provider. It lives as long as the process. */
export interface CircuitBreaker {
  /** The last deferral, if nothing is to be handed over now. */
  open(nowMs: number): NotSent | undefined;
  /** The provider itself deferred the item `id`. */
  deferred(id: string, handover: NotSent, nowMs: number): void;
  /** The provider gave any other answer. */
  answered(): void;
}

export function circuitBreaker(): CircuitBreaker {
  const ids = new Set<string>();
  let last: { readonly handover: NotSent; readonly atMs: number } | undefined;
  return {
    open(nowMs) {
      return last && ids.size >= FAILURES && nowMs < last.atMs + PAUSE_MS ? last.handover : undefined;
    },
    deferred(id, handover, nowMs) {
      if (last && nowMs >= last.atMs + PAUSE_MS) ids.clear();
      // More ids change nothing.
      if (ids.size < FAILURES) ids.add(id);
      last = { handover, atMs: nowMs };
    },
    answered() {
      ids.clear();
      last = undefined;
    },
  };
}
