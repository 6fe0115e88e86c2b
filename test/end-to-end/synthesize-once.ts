/**
 * Synthesizes the stack and bundles the commands when a test file first asks for them (`prepared.ts`). All files share
 * the result, and so do later runs, until a source changes.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';
import type { TestProject } from 'vitest/node';
import { fingerprintOf, SOURCES, synthesizeIfChanged } from '../../local/stack/synthesize.ts';
import { removeUnused } from '../in-memory.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL that makes a folder on request, for example at `/assembly`, and answers with its path. */
    preparedAt: string;
  }
}

const ROOT = join(import.meta.dirname, '../..');
/** From here, Node.js finds the packages that are not bundled. */
const CACHE = join(ROOT, 'node_modules/.cache/todoke-tests');
const COMMANDS = ['console', 'doctor', 'find', 'forget', 'replay', 'resend', 'setup', 'start', 'try'];
/** Programs that tests run in their own process, to kill it. */
const PROGRAMS = ['test/end-to-end/local-mode-process.ts', 'test/local/event-sources/queue-process.ts'];

/** Bundling takes longer than starting the stack, but a bundled command starts five times as fast. Most files need neither. */
export default async function setup(project: TestProject): Promise<() => void> {
  await mkdir(CACHE, { recursive: true });
  removeUnused(CACHE);
  const prepare: Record<string, () => Promise<string>> = {
    '/assembly': () => kept('assembly', SOURCES, {}, (outDir) => synthesizeIfChanged({ outDir }, () => undefined)),
    '/console-assembly': async () => {
      const { SIGN_IN_SETTINGS } = await import('../../local/sign-in/openid-provider.ts');
      return kept('console-assembly', SOURCES, SIGN_IN_SETTINGS, synthesizeHere);
    },
    '/one-provider-assembly': () => {
      const settings = { providers: 'customers-mail-cloud', publishFailures: 'off' };
      return kept('one-provider-assembly', SOURCES, settings, synthesizeHere);
    },
    '/commands': () => kept('commands', [...SOURCES, 'bin', 'local', ...PROGRAMS], {}, bundleCommands),
  };
  const prepared = new Map<string, Promise<string> | undefined>();
  const server = createServer(async ({ url = '' }, response) => {
    if (!prepared.has(url)) prepared.set(url, prepare[url]?.());
    try {
      response.end(await prepared.get(url));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  // Keeps idle connections open. A worker that synthesizes blocks for seconds. It would not notice that the server closed
  // its connection, and would use it again.
  server.keepAliveTimeout = 0;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('Cannot listen on a port');
  project.provide('preparedAt', `http://127.0.0.1:${address.port}`);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

/**
 * Returns the folder that was made from these sources and settings, by this run or an earlier one. The folder is complete
 * when it appears. It must not be changed, because other runs may use it.
 */
async function kept(
  name: string,
  sources: readonly string[],
  settings: object,
  make: (dir: string, settings: object) => Promise<unknown>,
): Promise<string> {
  const all = [...sources, 'local/stack/synthesize.ts', 'test/end-to-end/synthesize-once.ts'];
  // Checkouts may share node_modules, and the bundles contain absolute paths.
  const key = await fingerprintOf({ ROOT, ...settings }, all);
  const dir = join(CACHE, `${name}-${key.slice(0, 16)}`);
  if (existsSync(dir)) {
    await utimes(dir, new Date(), new Date());
    return dir;
  }
  const fresh = await mkdtemp(join(CACHE, `${name}-`));
  try {
    await make(fresh, settings);
    // If a source has changed meanwhile, later runs must not use this folder.
    if ((await fingerprintOf({ ROOT, ...settings }, all)) !== key) return fresh;
    await rename(fresh, dir);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    // If another run was faster, its folder is used.
    if (!existsSync(dir)) throw error;
  }
  return dir;
}

/** Synthesizes in this process, which takes half as long as another process. */
async function synthesizeHere(outdir: string, settings: object): Promise<void> {
  const [{ App }, { settingsFromContext }, { TodokeStack }] = await Promise.all([
    import('aws-cdk-lib'),
    import('../../lib/settings.ts'),
    import('../../lib/todoke-stack.ts'),
  ]);
  const { context } = JSON.parse(await readFile(join(ROOT, 'cdk.json'), 'utf8'));
  const { write } = process.stderr;
  // The CDK prints a line for each bundle.
  process.stderr.write = () => true;
  try {
    const app = new App({ outdir, context: { ...context, ...settings }, builtinCloudFormationValidation: false });
    new TodokeStack(app, 'Todoke', { settings: settingsFromContext(app.node) });
    app.synth();
  } finally {
    process.stderr.write = write;
  }
  // The bundles are CommonJS, as in local/stack/synthesize.ts.
  await writeFile(join(outdir, 'package.json'), '{"type":"commonjs"}\n');
}

async function bundleCommands(outdir: string): Promise<void> {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [...COMMANDS.map((name) => `bin/${name}.ts`), ...PROGRAMS],
    entryNames: '[name]',
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

/** Keeps the original location in each bundled source file, so that it finds the files beside it. */
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
