/** Makes bundles with the options of the deployed ones. */
import { basename } from 'node:path';
import { buildSync } from 'esbuild';
import { bundleOptions } from '../../lib/bundle.ts';

/** A bundle's size in bytes, and the source files that have code in it. */
export interface BundleContents {
  readonly bytes: number;
  readonly files: readonly string[];
}

/**
 * Bundles all entries at once: each alone would parse the SDK again.
 *
 * @param entries below lambda/, without their ending
 * @returns the contents by entry
 */
export function bundleContents(entries: readonly string[]): Map<string, BundleContents> {
  const options = bundleOptions(...entries.map(fileOf));
  const { metafile } = buildSync({ ...options, outdir: '.', write: false, metafile: true });
  return new Map(
    Object.entries(metafile.outputs).map(([path, { bytes, inputs }]) => {
      const files = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
      return [basename(path, '.js'), { bytes, files: files.map(([file]) => file) }];
    }),
  );
}

export function writeBundle(entry: string, outfile: string): void {
  buildSync({ ...bundleOptions(fileOf(entry)), outfile });
}

const fileOf = (entry: string) => `lambda/${entry}.ts`;
