/** Runs code of this repository in another process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { whenFinished } from '../temporary.ts';

/** Runs TypeScript, with imports from the repository's root. The process ends with the test, unless the test has killed it. */
export function otherProcess(code: string, ...args: string[]): ChildProcess {
  const script = `process.on('disconnect', () => process.exit());\n${code}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, ...args], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  whenFinished(() => child.kill('SIGKILL'));
  return child;
}
