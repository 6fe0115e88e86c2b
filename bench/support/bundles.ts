/** The bundles that are measured. */
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Runtime } from 'aws-cdk-lib/aws-lambda';
import * as z from 'zod';
import { bundle } from '../../lib/bundle.ts';
import type { SynthesizedStack } from '../../local/stack/synthesize.ts';

const functionProperties = z.object({ Code: z.object({ S3Key: z.string() }) });

/** The file of a function's bundle, as it would be deployed. */
export function bundleOf({ template, assetDirectories }: SynthesizedStack, logicalId: string): string {
  const { Code } = functionProperties.parse(template.Resources[logicalId]?.Properties);
  const dir = assetDirectories.get(Code.S3Key);
  if (dir === undefined) throw new Error(`Cannot find the bundle of ${logicalId}: there is no asset ${Code.S3Key}`);
  return join(dir, 'index.js');
}

/** How many bytes a function's bundle has. */
export async function bundleBytes(stack: SynthesizedStack, logicalId: string): Promise<number> {
  return (await readFile(bundleOf(stack, logicalId))).length;
}

/**
 * Bundles a file of bench/ by the very code that bundles the functions, so that both are made alike.
 *
 * @param entry below bench/, without its ending
 * @returns the bundle's file
 */
export async function bundleLikeFunctions(dir: string, entry: string): Promise<string> {
  const outdir = await mkdtemp(join(dir, 'bundle-'));
  bundle(`../bench/${entry}`, Runtime.NODEJS_24_X).bind(new Stack(new App({ outdir }), 'Bench'));
  const asset = (await readdir(outdir)).find((name) => name.startsWith('asset.'));
  if (asset === undefined) throw new Error(`Cannot bundle ${entry}: there is no asset`);
  return join(outdir, asset, 'index.js');
}
