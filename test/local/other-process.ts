/** Runs code of this repository in another process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';
import { temporaryFolder, whenFinished } from '../temporary.ts';

/**
 * Runs TypeScript, with imports from the repository's root. The process ends with the test, unless the test has killed it.
 *
 * @param args from `process.argv[2]` on
 */
export async function otherProcess(code: string, ...args: string[]): Promise<ChildProcess> {
  const root = join(import.meta.dirname, '../..');
  const file = join(temporaryFolder(), 'code.mjs');
  const contents = `process.on('disconnect', () => process.exit());\n${code}`;
  await build({
    stdin: { contents, loader: 'ts', resolveDir: root },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: file,
    logLevel: 'warning',
  });
  const child = spawn(process.execPath, [file, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  whenFinished(() => child.kill('SIGKILL'));
  return child;
}
