/** Detects that a provider is down, so that a batch does not wait for it with every message. */
import type { NotSent } from '../providers/sender.ts';

/** After this many different items in a row were deferred, the provider counts as down. */
const FAILURES = 3;
/** How long nothing is handed over to a provider that is down. */
const PAUSE_MS = 60_000;

/** The circuit breaker of one provider. It lives as long as the process. */
export interface CircuitBreaker {
  /** The last deferral if the circuit is open, which means that nothing may be handed over now. */
  open(nowMs: number): NotSent | undefined;
  /** Call this when the provider itself deferred the item `id`. */
  deferred(id: string, handover: NotSent, nowMs: number): void;
  /** Call this when the provider gave any other answer. */
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
