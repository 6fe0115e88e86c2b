/** What tests make for a while, and how it is undone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';
import { type DataFolder, openDataFolder } from '../local/data-folder.ts';

const undoAfterFile: (() => Promise<unknown> | unknown)[] = [];
afterAll(async () => {
  for (const undo of undoAfterFile.reverse()) await undo();
});

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
