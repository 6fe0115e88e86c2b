/** The npm process that runs a command. */
import { exists } from '../../local/processes.ts';

const LOOK_EVERY_MS = 500;

/** Calls back where the shell in which npm runs this command is gone: npm ends that one, and no signal comes here. */
export function whenNpmIsGone(callback: () => void): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const shell = process.ppid;
  const timer = setInterval(() => {
    // Only Windows keeps the id of a parent that is gone.
    if (process.ppid === shell && exists(shell)) return;
    clearInterval(timer);
    callback();
  }, LOOK_EVERY_MS);
  timer.unref();
}
