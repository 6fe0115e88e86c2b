/** Synthesizes the stack once for all test files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { synthesize } from '../../local/stack/synthesize.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The stack as the app makes it, with its functions bundled: the one that all end-to-end tests run. */
    assemblyDir: string;
  }
}

/** Once for the whole suite: bundling takes longer than starting the stack. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const assemblyDir = await mkdtemp(join(tmpdir(), 'todoke-assembly-'));
  await synthesize({ outDir: assemblyDir });
  project.provide('assemblyDir', assemblyDir);
  return () => rm(assemblyDir, { recursive: true, force: true });
}
