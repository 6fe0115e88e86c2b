/** Bundles the code of the functions with esbuild. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType } from 'aws-cdk-lib';
import { Code, type Runtime } from 'aws-cdk-lib/aws-lambda';
import { type BuildOptions, buildSync } from 'esbuild';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));

/** Modules that no function needs, and the files that replace them in the bundles. */
const LEFT_OUT = {
  // Would look for credentials in files, at SSO, EC2 and elsewhere.
  '@aws-sdk/credential-provider-node': join(PROJECT, 'lambda/aws/environment-credentials.ts'),
  // A list of all file types. axios uses it for uploads, which the functions do not make.
  'mime-db': join(PROJECT, 'lambda/providers/sendgrid/no-file-types.json'),
};

/**
 * The options with which esbuild makes one file of each entry and its imports.
 *
 * @param entries files of handlers, such as `lambda/send-mail.ts`
 */
export function bundleOptions(...entries: string[]): BuildOptions {
  return {
    entryPoints: entries,
    absWorkingDir: PROJECT,
    outbase: PROJECT,
    bundle: true,
    minify: true,
    platform: 'node',
    // Node 24 in AWS, Node 20 or later in local mode: the same bundle runs on both.
    target: 'node20',
    // @sendgrid/mail is CommonJS and calls `require` of Node's modules, which an ESM bundle cannot.
    format: 'cjs',
    // After tree shaking, the SDK's ESM sources are a third smaller than its CommonJS ones. The SDK of the Lambda
    // runtime is even larger, loads more slowly, and changes with the runtime.
    mainFields: ['module', 'main'],
    alias: LEFT_OUT,
    logLevel: 'warning',
  };
}

/** The bundles by the names of their entries. Made together, at the first request: each alone would parse the SDK again. */
const bundles = new Map<string, Uint8Array>();

function bundleOf(entry: string): Uint8Array {
  if (bundles.size === 0) {
    const entries = readdirSync(join(PROJECT, 'lambda')).filter((name) => name.endsWith('.ts'));
    const options = bundleOptions(...entries.map((name) => `lambda/${name}`), 'console/function.ts');
    const { outputFiles = [] } = buildSync({ ...options, outdir: PROJECT, write: false });
    for (const { path, contents } of outputFiles) bundles.set(path, contents);
  }
  const contents = bundles.get(join(PROJECT, entry.replace(/\.ts$/, '.js')));
  if (!contents) throw new Error(`Cannot bundle ${entry}: it is not the entry of a function`);
  return contents;
}

/**
 * The code of a function, as `index.js`, and the files that it reads.
 *
 * esbuild is called as a library. NodejsFunction would start it through npx in a process for each function, which takes
 * longer than the rest of a synthesis.
 */
export function bundle(entry: string, runtime: Runtime, files: () => Readonly<Record<string, string>>): Code {
  return Code.fromAsset(join(PROJECT, 'lambda'), {
    // A hash of the bundle, not of its sources, so that a function is updated only if its bundle changed.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: runtime.bundlingImage,
      // Never run. Without different commands the CDK would take all bundlings for the same one.
      command: ['esbuild', entry],
      local: {
        tryBundle(outputFolder) {
          writeFileSync(join(outputFolder, 'index.js'), bundleOf(entry));
          for (const [name, content] of Object.entries(files())) writeFileSync(join(outputFolder, name), content);
          return true;
        },
      },
    },
  });
}
