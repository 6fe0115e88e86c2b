/** Scripts for plain Node. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { transformSync } from 'esbuild';

/** Strips the types from a script once, so that a process needs no TypeScript loader. */
export function writeWorkerScript(source: URL, target: string): string {
  mkdirSync(dirname(target), { recursive: true });
  const { code } = transformSync(readFileSync(source, 'utf8'), { loader: 'ts', format: 'esm', target: 'node20' });
  writeFileSync(target, code);
  return target;
}
