/** Synthesizes the stack, and reads a cloud assembly. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as z from 'zod';
import { readJsonFile } from '../files.ts';
import { signalGroup, spawnLeashed } from '../processes.ts';
import { type Template, templateSchema } from './template.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const APP = 'bin/todoke.ts';

/** One stack as it would be deployed. */
export interface SynthesizedStack {
  readonly stackName: string;
  readonly template: Template;
  /** The folders of the bundled functions by the key in S3 that the template gives them. */
  readonly assetDirectories: ReadonlyMap<string, string>;
}

interface SynthesizeOptions {
  /** Where the cloud assembly goes. What was there is removed. */
  readonly outDir: string;
  /** CDK context on top of cdk.json's, such as settings. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the CDK app in a process of its own, without the CDK's command line, and reads what it made.
 *
 * @throws Error with the output of the app if it failed.
 */
export async function synthesize(options: SynthesizeOptions): Promise<SynthesizedStack> {
  const { outDir, context = {}, signal } = options;
  await rm(outDir, { recursive: true, force: true, maxRetries: 5 });
  await mkdir(outDir, { recursive: true });
  const cdkJson = await readJsonFile(join(PROJECT, 'cdk.json'), cdkConfig);
  signal?.throwIfAborted();
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const child = spawnLeashed(process.execPath, ['--import', tsx, APP], {
    cwd: PROJECT,
    env: {
      ...process.env,
      // The CDK's check of the template against CloudFormation's schemas takes longer than the rest of the synthesis.
      // `npm run check` and every deployment run it.
      CDK_VALIDATION: 'false',
      CDK_OUTDIR: outDir,
      CDK_CONTEXT_JSON: JSON.stringify({ ...cdkJson?.context, ...context }),
    },
  });
  const stop = () => signalGroup(child, 'SIGKILL');
  signal?.addEventListener('abort', stop);
  const exited = new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done));
  const [code, output, errors] = await Promise.all([exited, textOf(child.stdout), textOf(child.stderr)]);
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  if (code !== 0)
    throw new Error(`Cannot synthesize the stack: ${APP} ended with ${code}\n${output}${errors}`.trimEnd());
  // Lambda loads the bundles as CommonJS, as they have no package.json. Here the project's would apply, which says ESM.
  await writeFile(join(outDir, 'package.json'), '{"type":"commonjs"}\n');
  return readAssembly(outDir);
}

const textOf = async (stream: Readable | null) => (stream === null ? '' : text(stream));

/** Everything that the assembly is made from. package-lock.json stands for the packages. */
export const SOURCES = [
  APP,
  'lib',
  'lambda',
  'console',
  'cdk.json',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
];
const FINGERPRINT_FILE = 'fingerprint';

/**
 * Reads the assembly in the folder if it was made from the same sources. Otherwise synthesizes it.
 *
 * @param whenAnew called before it is synthesized, which takes seconds
 */
export async function synthesizeIfChanged(options: SynthesizeOptions, whenAnew: () => void): Promise<SynthesizedStack> {
  const fingerprint = await fingerprintOf(options.context ?? {});
  const file = join(options.outDir, FINGERPRINT_FILE);
  const made = await readFile(file, 'utf8').catch(() => undefined);
  if (made === fingerprint) return readAssembly(options.outDir);
  whenAnew();
  const stack = await synthesize(options);
  // Written last, so that an incomplete assembly has no fingerprint.
  await writeFile(file, fingerprint);
  return stack;
}

/** A hash of these files and folders of the project, of the context, and of Node.js's version. */
export async function fingerprintOf(
  context: Readonly<Record<string, unknown>>,
  sources: readonly string[] = SOURCES,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([process.version, context]));
  for (const source of sources) {
    const path = join(PROJECT, source);
    const below = await readdir(path, { recursive: true }).catch(() => ['']);
    for (const name of below.sort()) {
      const content = await readFile(join(path, name)).catch(() => '');
      hash.update(`${source}/${name} ${content.length}\n`).update(content);
    }
  }
  return hash.digest('hex');
}

const cdkConfig = z.object({ context: z.record(z.string(), z.unknown()).default({}) });

const manifest = z.object({
  artifacts: z.record(
    z.string(),
    z.object({
      type: z.string(),
      properties: z
        .object({ templateFile: z.string().optional(), file: z.string().optional(), stackName: z.string().optional() })
        .default({}),
    }),
  ),
});

const assetManifest = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.object({ path: z.string(), packaging: z.string() }),
      destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
    }),
  ),
});

/**
 * Reads a cloud assembly: the folder that an app's synthesis leaves.
 *
 * @throws Error if it does not have exactly one stack.
 */
export async function readAssembly(dir: string): Promise<SynthesizedStack> {
  const { artifacts } = await readExisting(join(dir, 'manifest.json'), manifest);
  const stacks = Object.entries(artifacts).filter(([, { type }]) => type === 'aws:cloudformation:stack');
  const [stack, ...others] = stacks;
  const templateFile = stack?.[1].properties.templateFile;
  if (stack === undefined || templateFile === undefined || others.length > 0) {
    throw new Error(`Cannot read the cloud assembly in ${dir}: expected one stack, found ${stacks.length}`);
  }
  const [artifactId, { properties }] = stack;
  const template = await readExisting(join(dir, templateFile), templateSchema);

  const assetDirectories = new Map<string, string>();
  for (const { type, properties } of Object.values(artifacts)) {
    if (type !== 'cdk:asset-manifest' || properties.file === undefined) continue;
    const manifestFile = join(dir, properties.file);
    for (const { source, destinations } of Object.values((await readExisting(manifestFile, assetManifest)).files)) {
      if (source.packaging !== 'zip') continue;
      for (const { objectKey } of Object.values(destinations)) {
        assetDirectories.set(objectKey, resolve(dirname(manifestFile), source.path));
      }
    }
  }
  return { stackName: properties.stackName ?? artifactId, template, assetDirectories };
}

async function readExisting<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const content = await readJsonFile(path, schema);
  if (content === undefined) throw new Error(`Cannot read the cloud assembly: there is no ${path}`);
  return content;
}
