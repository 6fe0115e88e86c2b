/** Polls while the page is visible. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Session } from '../shared/api.ts';
import { messageOf } from './call.ts';
import { useSay } from './settings.tsx';

/** Local mode shows new rows within two seconds. Over a deployed stack each poll costs money: see docs/performance.md. */
const LOCAL_POLL_MS = 1_200;
const DEPLOYED_POLL_MS = 20_000;

let pollMs = DEPLOYED_POLL_MS;

/** Sets how often to poll, once the session is known. */
export function pollAs(mode: Session['mode']): void {
  pollMs = mode === 'local' ? LOCAL_POLL_MS : DEPLOYED_POLL_MS;
}

/**
 * Runs `work` regularly, but not in a hidden tab.
 *
 * @param work returns how many intervals to wait before the next run; undefined for one. Its signal is aborted when its
 *   answer is no longer wanted: a late answer must not replace a newer one
 * @param about what `work` depends on. When it changes, `work` starts again
 * @returns the message of the last error, until `work` succeeds
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
