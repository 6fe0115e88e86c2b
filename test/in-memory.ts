/**
 * Puts the temporary folders of the tests into memory if the machine has room there: on a disk, the engine and the queues
 * wait at each write until the disk has it. The containers of some CI services have 64 MB there, which is too little.
 * `TMPDIR=/tmp npm test` uses the disk.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const PREFIX = 'todoke-tests-';
const DAY_MS = 86_400_000;
/** Ten times what a run needs. */
const ROOM_BYTES = 1_500_000_000;

export default function setup(): (() => void) | undefined {
  if (process.env['TMPDIR'] !== undefined || !existsSync(MEMORY)) return undefined;
  const { bavail, bsize } = statfsSync(MEMORY);
  if (bavail * bsize < ROOM_BYTES) return undefined;
  removeUnused(MEMORY, PREFIX);
  const dir = mkdtempSync(join(MEMORY, PREFIX));
  // The test workers, and all that they start, get this environment.
  process.env['TMPDIR'] = dir;
  return () => rmSync(dir, { recursive: true, force: true });
}

/** Removes the folders that no run of the tests has used for a day, such as those of a run that was killed. */
export function removeUnused(parent: string, prefix = ''): void {
  for (const name of readdirSync(parent).filter((name) => name.startsWith(prefix))) {
    const dir = join(parent, name);
    const usedMs = statSync(dir, { throwIfNoEntry: false })?.mtimeMs;
    if (usedMs !== undefined && Date.now() - usedMs > DAY_MS) rmSync(dir, { recursive: true, force: true });
  }
}
