/** Asks again and again. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Session } from '../shared/api.ts';
import { messageOf } from './call.ts';
import { useSay } from './settings.tsx';

/** In local mode what is new is seen within two seconds. Over a deployed stack each poll costs money: docs/performance.md. */
const LOCAL_POLL_MS = 1_200;
const DEPLOYED_POLL_MS = 20_000;

let pollMs = DEPLOYED_POLL_MS;

/** Says how often to ask, once the session is known. */
export function pollAs(mode: Session['mode']): void {
  pollMs = mode === 'local' ? LOCAL_POLL_MS : DEPLOYED_POLL_MS;
}

/**
 * Does something again and again while the page is looked at; in a hidden tab not at all.
 *
 * @param work says how many polls to wait before the next time, one if it says nothing. Its signal is aborted once nobody
 *   waits for it any more: what came late would take the place of what is wanted now
 * @param about what it depends on: work begins anew when that changes
 * @returns the last error's message, until the work succeeds
 */
export function usePolling(
  work: (signal: AbortSignal) => Promise<number | undefined>,
  about: string,
): string | undefined {
  const [error, setError] = useState<string>();
  const say = useSay();
  const saying = useRef(say);
  saying.current = say;
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ended = new AbortController();
    const { signal } = ended;
    let running = false;
    setError(undefined);
    const run = async () => {
      if (running || signal.aborted || document.hidden) return;
      running = true;
      clearTimeout(timer);
      let polls: number | undefined;
      try {
        polls = await latest.current(signal);
        if (!signal.aborted) setError(undefined);
      } catch (failure) {
        polls = 3;
        if (!signal.aborted) setError(messageOf(failure, saying.current));
      }
      running = false;
      if (!signal.aborted) timer = setTimeout(run, (polls ?? 1) * pollMs);
    };
    run();
    document.addEventListener('visibilitychange', run);
    return () => {
      ended.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', run);
    };
  }, [about]);
  return error;
}
