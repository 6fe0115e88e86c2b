/** Makes bundles with the options of the deployed ones. */
import { buildSync } from 'esbuild';
import { bundleOptions } from '../../lib/bundle.ts';

/** A bundle's size in bytes, and the source files that have code in it. */
export interface BundleContents {
  readonly bytes: number;
  readonly files: readonly string[];
}

/** @param entry below lambda/, without its ending */
export function bundleContents(entry: string): BundleContents {
  const { metafile } = buildSync({ ...bundleOptions(entry), outfile: 'index.js', write: false, metafile: true });
  const [output] = Object.values(metafile.outputs);
  if (output === undefined) throw new Error(`Cannot bundle ${entry}: esbuild made no file`);
  const files = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { bytes: output.bytes, files: files.map(([file]) => file) };
}

export function writeBundle(entry: string, outfile: string): void {
  buildSync({ ...bundleOptions(entry), outfile });
}
