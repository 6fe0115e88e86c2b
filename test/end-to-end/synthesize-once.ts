/** Synthesizes the stack, and bundles the commands, once for all test files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { TestProject } from 'vitest/node';
import { synthesizeIfChanged } from '../../local/stack/synthesize.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The stack as the app makes it, with its functions bundled, and what tells local mode that it is up to date. */
    assemblyDir: string;
    /** The commands that work on a running stack, each as `<name>.mjs`. */
    commandsDir: string;
  }
}

const COMMANDS = ['doctor', 'replay', 'resend', 'setup', 'try'];

/** Once for the whole suite: bundling takes longer than starting the stack, and a bundled command starts five times as fast. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'todoke-tests-'));
  const [assemblyDir, commandsDir] = [join(dir, 'assembly'), join(dir, 'commands')];
  await Promise.all([synthesizeIfChanged({ outDir: assemblyDir }, () => undefined), bundleCommands(commandsDir)]);
  project.provide('assemblyDir', assemblyDir);
  project.provide('commandsDir', commandsDir);
  return () => rm(dir, { recursive: true, force: true });
}

async function bundleCommands(outdir: string): Promise<void> {
  await build({
    entryPoints: COMMANDS.map((name) => `bin/${name}.ts`),
    absWorkingDir: join(import.meta.dirname, '../..'),
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    outExtension: { '.js': '.mjs' },
    // Some packages are CommonJS.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
}
