/** Synthesizes the stack and bundles the commands when a test file first asks for them, once for all files (`prepared.ts`). */
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL that prepares a folder on request, for example at `/assemblyDir`. */
    preparedAt: string;
    /** The synthesized stack with bundled functions, and the marker that tells local mode that it is up to date. */
    assemblyDir: string;
    /** The stack with a console for a team. */
    consoleAssemblyDir: string;
    /** The stack for Customers Mail Cloud alone, without published events. */
    oneProviderAssemblyDir: string;
    /** The commands, and programs of the tests, each as `<name>.mjs`. */
    commandsDir: string;
  }
}

const ROOT = join(import.meta.dirname, '../..');
const COMMANDS = ['console', 'doctor', 'find', 'forget', 'replay', 'resend', 'setup', 'start', 'try'];
/** Programs that tests run in their own process, to kill it. */
const PROGRAMS = ['test/end-to-end/local-mode-process.ts', 'test/local/event-sources/queue-process.ts'];

/** Bundling takes longer than starting the stack, but a bundled command starts five times as fast. Most files need neither. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // From here, Node.js finds the packages that are not bundled.
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const dir = await mkdtemp(join(cache, 'todoke-tests-'));
  const [assemblyDir, commandsDir] = [join(dir, 'assembly'), join(dir, 'commands')];
  const consoleAssemblyDir = join(dir, 'console-assembly');
  const oneProviderAssemblyDir = join(dir, 'one-provider-assembly');
  const prepare: Record<string, () => Promise<unknown>> = {
    '/assemblyDir': async () => {
      const { synthesizeIfChanged } = await import('../../local/stack/synthesize.ts');
      return synthesizeIfChanged({ outDir: assemblyDir }, () => undefined);
    },
    '/consoleAssemblyDir': async () => {
      const { SIGN_IN_SETTINGS } = await import('../../local/sign-in/openid-provider.ts');
      return synthesizeHere(consoleAssemblyDir, SIGN_IN_SETTINGS);
    },
    '/oneProviderAssemblyDir': () =>
      synthesizeHere(oneProviderAssemblyDir, { providers: 'customers-mail-cloud', publishFailures: 'off' }),
    '/commandsDir': () => bundleCommands(commandsDir),
  };
  const prepared = new Map<string, Promise<unknown> | undefined>();
  const server = createServer(async ({ url = '' }, response) => {
    if (!prepared.has(url)) prepared.set(url, prepare[url]?.());
    const error = await prepared.get(url)?.then(() => undefined, String);
    response.writeHead(error === undefined ? 200 : 500).end(error);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('Cannot listen on a port');
  project.provide('preparedAt', `http://127.0.0.1:${address.port}`);
  project.provide('assemblyDir', assemblyDir);
  project.provide('consoleAssemblyDir', consoleAssemblyDir);
  project.provide('oneProviderAssemblyDir', oneProviderAssemblyDir);
  project.provide('commandsDir', commandsDir);
  return async () => {
    server.close();
    server.closeAllConnections();
    await rm(dir, { recursive: true, force: true });
  };
}

/** Synthesizes in this process, which bundles the functions for the first stack only. */
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
