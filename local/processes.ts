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
 * A shell starts a watcher in its process group, and then becomes the program, with the same process id. The watcher reads
 * the pipe that the parent opened as stdin. When the parent ends, even by SIGKILL, the pipe is closed, and the watcher kills
 * the group. Descriptor 3 is for Node's messages; the watcher must not hold it open.
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
 * How a program is started so that it ends with its parent, and gets no signal from a Ctrl-C in the parent's terminal.
 *
 * On Windows, child processes that are not detached end with their parent: libuv puts them into a job
 * (`JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE` in its `src/win/process.c`). Without inherited handles they also get their own
 * console.
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

/** Starts a program that ends with this process, even if this process is killed. Its output comes by pipes. */
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

/** Asks a program and its group to end (SIGTERM). If the program still runs after `graceMs`, kills the group (SIGKILL). */
export async function endGroup(child: ChildProcess, graceMs: number): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  signalGroup(child, 'SIGTERM');
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
  await ended;
  clearTimeout(timer);
}
