/** Asks again and again. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from './call.ts';
import { useSay } from './settings.tsx';

/** So that what is new is seen within two seconds. */
const POLL_MS = 1_200;

/**
 * Does something again and again while the page is looked at.
 *
 * @param work says how long to wait before the next time, if it wants another wait. Its signal is aborted once nobody
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
      let waitMs: number | undefined;
      try {
        waitMs = await latest.current(signal);
        if (!signal.aborted) setError(undefined);
      } catch (failure) {
        waitMs = POLL_MS * 3;
        if (!signal.aborted) setError(messageOf(failure, saying.current));
      }
      running = false;
      if (!signal.aborted) timer = setTimeout(run, waitMs ?? POLL_MS);
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
