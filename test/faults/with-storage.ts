/** Storage for tests with faults. */
import { afterAll, beforeAll } from 'vitest';
import { readAssembly } from '../../local/stack/synthesize.ts';
import { assemblyDir } from '../prepared.ts';
import { startStorage, type TestStorage } from './storage.ts';

/** Starts storage that can fail before the tests of a file, and stops it after them. */
export function withStorage(): () => TestStorage {
  let storage: TestStorage | undefined;
  beforeAll(async () => {
    storage = await startStorage((await readAssembly(await assemblyDir())).template);
  });
  afterAll(() => storage?.close());
  return () => {
    if (!storage) throw new Error('Storage is there only while the tests run');
    return storage;
  };
}
