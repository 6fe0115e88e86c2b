/** Runs a command of bin/ as a person would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, inject } from 'vitest';

/** What a command printed, and its exit code. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/**
 * Runs a command of `npm run` on a running stack. Not synchronously: this process has the proxy in front of the stack's
 * tables. Only what is given is in its environment, so that it finds no credentials of the machine's.
 */
export async function ran(
  outputsFile: string,
  file: string,
  args: readonly string[] = [],
  { environment = {}, input }: { environment?: Record<string, string>; input?: string } = {},
): Promise<Ran> {
  const bundle = join(inject('commandsDir'), `${file}.mjs`);
  const command = spawn(process.execPath, [bundle, '--outputs', outputsFile, ...args], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
  });
  command.stdin.on('error', () => undefined);
  command.stdin.end(input);
  const exited = once(command, 'exit');
  const [stdout, stderr, [status]] = await Promise.all([text(command.stdout), text(command.stderr), exited]);
  return { stdout, stderr, status };
}

/** Runs a command, expects it to succeed in silence, and gives what it printed. */
export async function runOn(outputsFile: string, file: string, ...args: string[]): Promise<string> {
  const { stdout, stderr, status } = await ran(outputsFile, file, args);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout;
}
