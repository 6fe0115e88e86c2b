/**
 * Puts the temporary folders of the tests into memory if there is room. On a disk, each write of the engine and the queues
 * waits for the disk. Containers often have only 64 MB in /dev/shm. `TMPDIR=/tmp npm test` uses the disk.
 */
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const PREFIX = 'todoke-tests-';
const DAY_MS = 86_400_000;
/** Ten times what a run needs. */
const ROOM_BYTES = 1_500_000_000;

export default function setup(): (() => void) | undefined {
  if (process.env['TMPDIR'] !== undefined || !hasRoom(MEMORY)) return undefined;
  removeUnused(MEMORY, PREFIX);
  const dir = mkdtempSync(join(MEMORY, PREFIX));
  // The test workers, and all that they start, get this environment.
  process.env['TMPDIR'] = dir;
  return () => {
    delete process.env['TMPDIR'];
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };
}

function hasRoom(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize >= ROOM_BYTES;
  } catch {
    return false;
  }
}

/** Removes the folders that no run of the tests has used for a day, such as those of a run that was killed. */
export function removeUnused(parent: string, prefix = ''): void {
  for (const name of readdirSync(parent).filter((name) => name.startsWith(prefix))) {
    const dir = join(parent, name);
    const usedMs = statSync(dir, { throwIfNoEntry: false })?.mtimeMs;
    if (usedMs === undefined || Date.now() - usedMs <= DAY_MS) continue;
    try {
      rmSync(dir, { recursive: true, force: true });
    } catch {
      // It belongs to another user.
    }
  }
}
