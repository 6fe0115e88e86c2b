/** Synthesizes the stack, and bundles the commands, once for all test files. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { TestProject } from 'vitest/node';
import { synthesizeIfChanged } from '../../local/stack/synthesize.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The stack as the app makes it, with its functions bundled, and what tells local mode that it is up to date. */
    assemblyDir: string;
    /** The commands, each as `<name>.mjs`. */
    commandsDir: string;
  }
}

const ROOT = join(import.meta.dirname, '../..');
const COMMANDS = ['console', 'doctor', 'find', 'forget', 'replay', 'resend', 'setup', 'start', 'try'];

/** Once for the whole suite: bundling takes longer than starting the stack, and a bundled command starts five times as fast. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Here packages are found that the bundles leave outside.
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const dir = await mkdtemp(join(cache, 'todoke-tests-'));
  const [assemblyDir, commandsDir] = [join(dir, 'assembly'), join(dir, 'commands')];
  await Promise.all([synthesizeIfChanged({ outDir: assemblyDir }, () => undefined), bundleCommands(commandsDir)]);
  project.provide('assemblyDir', assemblyDir);
  project.provide('commandsDir', commandsDir);
  return () => rm(dir, { recursive: true, force: true });
}

async function bundleCommands(outdir: string): Promise<void> {
  await build({
    entryPoints: COMMANDS.map((name) => `bin/${name}.ts`),
    absWorkingDir: ROOT,
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    outExtension: { '.js': '.mjs' },
    external: ['esbuild'],
    plugins: [ownPlace],
    // Some packages are CommonJS.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
}

/** Has each source file of the project find its neighbours, from wherever its code runs. */
const ownPlace: Plugin = {
  name: 'own-place',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (path.includes('node_modules')) return undefined;
      const contents = (await readFile(path, 'utf8'))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)));
      return { contents, loader: 'ts' };
    });
  },
};
