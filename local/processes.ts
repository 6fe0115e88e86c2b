/** Other processes, and child processes that end with this one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { isErrorWithCode } from './files.ts';

/** Whether any process has this id now. */
export function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return isErrorWithCode(error, 'EPERM');
  }
}

/**
 * Starts the program in place of the shell, under its process id, beside a watcher in the same process group. The
 * watcher reads from the pipe that is the program's stdin here: it is closed when the parent is gone, even by SIGKILL.
 * Then the watcher ends the group. 3 is the descriptor of Node's messages, which the watcher must not hold open.
 */
const LEASH = `exec 9<&0 </dev/null
{ read -r _ <&9; kill -KILL 0; } >/dev/null 2>&1 3>&- &
exec "$@" 9<&-`;

interface Leashed {
  readonly command: string;
  readonly args: readonly string[];
  readonly detached: boolean;
}

/**
 * How a program is started so that it ends with its parent, and hears nothing of a Ctrl-C in the parent's terminal.
 *
 * Windows ends the child processes that are not detached with their parent: libuv puts these into a job
 * (`JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE` in its `src/win/process.c`). Without inherited handles they also get a console
 * of their own.
 */
export function leashed(program: string, args: readonly string[], platform: string = process.platform): Leashed {
  if (platform === 'win32') return { command: program, args, detached: false };
  return { command: '/bin/sh', args: ['-c', LEASH, 'sh', program, ...args], detached: true };
}

interface LeashedOptions {
  readonly cwd?: string;
  /** The whole environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Whether it is a Node program that gets and sends messages. */
  readonly messages?: boolean;
}

/** Starts a program that ends with this process, however this process ends. Its output comes by pipes. */
export function spawnLeashed(program: string, programArgs: readonly string[], options: LeashedOptions): ChildProcess {
  const { messages = false, ...others } = options;
  const { command, args, detached } = leashed(program, programArgs);
  const child = spawn(command, args, {
    ...others,
    detached,
    windowsHide: true,
    stdio: ['pipe', 'pipe', 'pipe', ...(messages ? (['ipc'] as const) : [])],
  });
  child.stdin?.on('error', () => undefined);
  // Ends the rest of its process group.
  child.once('exit', () => child.stdin?.destroy());
  return child;
}

/** Sends a signal to a program that was started `detached`, and to all in its group. On Windows any signal ends it. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals, platform: string = process.platform): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (platform === 'win32') return void child.kill(signal);
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has just ended by itself.
  }
}

/** Asks a program and its group to end (SIGTERM), and ends them (SIGKILL) where it has not within `graceMs`. */
export async function endGroup(child: ChildProcess, graceMs: number): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  signalGroup(child, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
  await ended;
  clearTimeout(timer);
}
