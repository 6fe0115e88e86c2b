import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';

/**
 * Runs a command of `npm run` on a running stack, expects it to succeed in silence, and gives what it printed. Not
 * synchronously: this process has the proxy in front of the stack's tables.
 */
export async function runOn(outputsFile: string, file: string, ...args: string[]): Promise<string> {
  const command = spawn(process.execPath, ['--import', 'tsx', `bin/${file}.ts`, '--outputs', outputsFile, ...args], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(command, 'exit');
  const [stdout, stderr, [status]] = await Promise.all([text(command.stdout), text(command.stderr), exited]);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout;
}
