/** Synthesizes the stack once for all test files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { synthesizeIfChanged } from '../../local/stack/synthesize.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The stack as the app makes it, with its functions bundled, and what tells local mode that it is up to date. */
    assemblyDir: string;
  }
}

/** Once for the whole suite: bundling takes longer than starting the stack. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const assemblyDir = await mkdtemp(join(tmpdir(), 'todoke-assembly-'));
  await synthesizeIfChanged({ outDir: assemblyDir }, () => undefined);
  project.provide('assemblyDir', assemblyDir);
  return () => rm(assemblyDir, { recursive: true, force: true });
}
