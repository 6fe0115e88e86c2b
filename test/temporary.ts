/** Temporary things of tests, and their cleanup. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type DataFolder, openDataFolder } from '../local/data-folder.ts';

const undoAfterFile: (() => Promise<unknown> | unknown)[] = [];

/** Runs all cleanups of a file. `test/after-file.ts` calls it. */
export async function undoAll(): Promise<void> {
  for (const undo of undoAfterFile.splice(0).reverse()) await undo();
}

/** Runs a cleanup after the test or, if called outside a test, after all tests of the file. The last one runs first. */
export function whenFinished(undo: () => Promise<unknown> | unknown): void {
  try {
    onTestFinished(async () => void (await undo()));
  } catch {
    undoAfterFile.push(undo);
  }
}

/** A new folder, which is removed afterwards. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'todoke-'));
  whenFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export async function temporaryDataFolder(): Promise<DataFolder> {
  const folder = await openDataFolder(temporaryFolder());
  whenFinished(folder.release);
  return folder;
}
