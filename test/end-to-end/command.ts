/** Runs a command of bin/ as a person would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { format } from 'node:util';
import { expect, vi } from 'vitest';
import { commandsDir } from '../prepared.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What a command printed, and its exit code. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/**
 * Runs a command of `npm run` on a running stack. Asynchronously, because this process runs the proxy of the stack's
 * tables. Only the given environment is passed, so that the command finds no credentials of the machine.
 */
export async function ran(
  outputsFile: string,
  file: string,
  args: readonly string[] = [],
  { environment = {}, input }: { environment?: Record<string, string>; input?: string } = {},
): Promise<Ran> {
  const bundle = join(await commandsDir(), `${file}.mjs`);
  const command = spawn(process.execPath, [bundle, '--outputs', outputsFile, ...args], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
  });
  command.stdin.on('error', () => undefined);
  command.stdin.end(input);
  const exited = once(command, 'exit');
  const [stdout, stderr, [status]] = await Promise.all([text(command.stdout), text(command.stderr), exited]);
  return { stdout, stderr, status };
}

let runs = 0;

/**
 * Runs the same command in this process, one at a time. A separate process takes a third of a second of CPU time. Use
 * `ran` for what needs a process, such as stdin and signals.
 */
export async function ranHere(
  outputsFile: string,
  file: string,
  args: readonly string[] = [],
  { folder = 'bin', environment = {} }: { folder?: 'bin' | 'examples'; environment?: Record<string, string> } = {},
): Promise<Ran> {
  const printed = { log: '', error: '' };
  const spies = (['log', 'error'] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation((...parts) => {
      printed[name] += `${format(...parts)}\n`;
    }),
  );
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const { argv, exitCode, stdout, stderr } = process;
  const listeners = [stdout, stderr].map((stream) => ({ stream, before: stream.listeners('error') }));
  process.argv = [process.execPath, file, '--outputs', outputsFile, ...args];
  try {
    // A different query makes a different module, which runs again.
    await import(`${ROOT}/${folder}/${file}.ts?run=${++runs}`).catch((error) => {
      // As Node does with an error that nothing catches.
      printed.error += `${format(error)}\n`;
      process.exitCode = 1;
    });
    return { stdout: printed.log, stderr: printed.error, status: Number(process.exitCode ?? 0) };
  } finally {
    process.argv = argv;
    process.exitCode = exitCode;
    for (const { stream, before } of listeners) {
      for (const added of stream.listeners('error').filter((listener) => !before.includes(listener))) {
        stream.off('error', added as () => void);
      }
    }
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}

/** Runs a command, expects success and no error output, and returns what it printed. */
export async function runOn(outputsFile: string, file: string, ...args: string[]): Promise<string> {
  const { stdout, stderr, status } = await ranHere(outputsFile, file, args);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout;
}
