/** Another process that runs the code of this repository. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { whenFinished } from '../temporary.ts';

/** Runs TypeScript, which imports from the repository's root, until the test is finished or has killed it. */
export function otherProcess(code: string, ...args: string[]): ChildProcess {
  const script = `process.on('disconnect', () => process.exit());\n${code}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, ...args], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  whenFinished(() => child.kill('SIGKILL'));
  return child;
}
