import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';

/** Runs a command of `npm run` on a running stack, expects it to succeed in silence, and gives what it printed. */
export function runOn(outputsFile: string, file: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', `bin/${file}.ts`, '--outputs', outputsFile, ...args],
    { cwd: join(import.meta.dirname, '../..'), encoding: 'utf8' },
  );
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout;
}
