/** Writes TypeScript scripts as JavaScript for plain Node. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { transformSync } from 'esbuild';

/** The scripts without their types, by source URL. Each is transformed once per process. */
const scripts = new Map<string, string>();

/** Takes the types out of a script, so that a process starts on it without a TypeScript loader. */
export function writeWorkerScript(source: URL, target: string): string {
  mkdirSync(dirname(target), { recursive: true });
  const script = scripts.get(source.href) ?? transformSync(readFileSync(source, 'utf8'), OPTIONS).code;
  scripts.set(source.href, script);
  writeFileSync(target, script);
  return target;
}

const OPTIONS = { loader: 'ts', format: 'esm', target: 'node20' } as const;
