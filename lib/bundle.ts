/** Bundles the functions. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType } from 'aws-cdk-lib';
import { Code, type Runtime } from 'aws-cdk-lib/aws-lambda';
import { type BuildOptions, buildSync } from 'esbuild';

const lambdaFolder = fileURLToPath(new URL('../lambda', import.meta.url));

/** What would be loaded in vain, and what stands in for it. */
const LEFT_OUT = {
  // Looks for credentials in files, at SSO, EC2 and elsewhere.
  '@aws-sdk/credential-provider-node': join(lambdaFolder, 'aws/environment-credentials.ts'),
  // All file types that there are, for attachments that axios does not send here.
  'mime-db': join(lambdaFolder, 'providers/sendgrid/no-file-types.json'),
};

/** How esbuild makes one file of `lambda/<entry>.ts` and all that it imports. */
export function bundleOptions(entry: string): BuildOptions {
  return {
    entryPoints: [join(lambdaFolder, `${entry}.ts`)],
    bundle: true,
    minify: true,
    platform: 'node',
    // Node 24 in AWS, Node 20 or later in local mode: the same bundle runs on both.
    target: 'node20',
    // @sendgrid/mail is CommonJS and calls `require` of Node's modules, which an ESM bundle cannot.
    format: 'cjs',
    // The SDK's ESM sources shake down to a third less than its CommonJS ones. The SDK that the runtime brings
    // is larger still, slower to load, and changes by itself.
    mainFields: ['module', 'main'],
    alias: LEFT_OUT,
    logLevel: 'warning',
  };
}

/**
 * The code of a function, as `index.js`, and the files that it reads.
 *
 * esbuild is called as a library: NodejsFunction starts it through npx, one process a function, which takes longer than
 * the rest of a synthesis.
 */
export function bundle(entry: string, runtime: Runtime, files: () => Readonly<Record<string, string>>): Code {
  return Code.fromAsset(lambdaFolder, {
    // What is deployed decides whether a function is updated, not what it was made from.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: runtime.bundlingImage,
      // Never run: the CDK takes two bundlings for the same one unless their options differ.
      command: ['esbuild', entry],
      local: {
        tryBundle(outputFolder) {
          buildSync({ ...bundleOptions(entry), outfile: join(outputFolder, 'index.js') });
          for (const [name, content] of Object.entries(files())) writeFileSync(join(outputFolder, name), content);
          return true;
        },
      },
    },
  });
}
