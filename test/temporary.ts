/** What tests make for a while, and how it is undone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type DataFolder, openDataFolder } from '../local/data-folder.ts';

const undoAfterFile: (() => Promise<unknown> | unknown)[] = [];

/** Undoes what was done for all tests of a file. `test/after-file.ts` calls it. */
export async function undoAll(): Promise<void> {
  for (const undo of undoAfterFile.splice(0).reverse()) await undo();
}

/** Undoes something after the test, or, where it was done for all tests of a file, after these. Last first. */
export function whenFinished(undo: () => Promise<unknown> | unknown): void {
  try {
    onTestFinished(async () => void (await undo()));
  } catch {
    undoAfterFile.push(undo);
  }
}

/** A new folder, removed afterwards. */
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
