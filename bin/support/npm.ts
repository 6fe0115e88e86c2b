/** Detects the end of the shell in which npm runs a command. */
import { exists } from '../../local/processes.ts';

const LOOK_EVERY_MS = 500;

/** Calls back when npm has ended the shell in which it runs this command. This process gets no signal then. */
export function whenNpmIsGone(callback: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const shell = process.ppid;
  const timer = setInterval(() => {
    // When the parent has ended, `ppid` changes, except on Windows.
    if (process.ppid === shell && exists(shell)) return;
    clearInterval(timer);
    callback();
  }, LOOK_EVERY_MS);
  timer.unref();
}
