/** Processes, told from each other over restarts. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';

/**
 * One run of one process. A process id alone says little: after a crash or a reboot the system gives it to
 * somebody else, who must neither be taken for ours nor be ended.
 */
export const processIdentity = z.object({ pid: z.number().int().positive(), startedAt: z.string().min(1) });
type ProcessIdentity = z.infer<typeof processIdentity>;

/** The process that has this id now; undefined if none runs. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const startedAt = existsSync('/proc/self/stat') ? startTimeFromProc(pid) : startTimeFromPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** True while that very process runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startedAt === identity.startedAt;
}

/**
 * Asks a process that leads a group of its own (as `detached` ones do), and all in that group, to end (SIGTERM),
 * and ends it (SIGKILL) where it has not within `graceMs`.
 */
export async function endProcessGroup(identity: ProcessIdentity, graceMs: number): Promise<void> {
  const deadlineMs = Date.now() + graceMs;
  signalGroup(identity, 'SIGTERM');
  while (isRunning(identity)) {
    if (Date.now() > deadlineMs) signalGroup(identity, 'SIGKILL');
    await sleep(10);
  }
}

function signalGroup(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(-identity.pid, signal);
  } catch {
    // It ended by itself in this moment.
  }
}

/** Ticks since boot (proc(5), `/proc/pid/stat`, field 22); the second field may hold spaces and parentheses. */
function startTimeFromProc(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

function startTimeFromPs(pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}
