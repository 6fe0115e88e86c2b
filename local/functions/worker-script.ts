/** Scripts for plain Node. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { transformSync } from 'esbuild';

/** Takes the types out of a script once, so that a process starts on it without a TypeScript loader. */
export function writeWorkerScript(source: URL, target: string): string {
  mkdirSync(dirname(target), { recursive: true });
  const { code } = transformSync(readFileSync(source, 'utf8'), { loader: 'ts', format: 'esm', target: 'node20' });
  writeFileSync(target, code);
  return target;
}
