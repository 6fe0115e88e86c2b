/** Starts and ends the engine's program. */
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataFolder } from '../data-folder.ts';
import { LogFile } from '../log-file.ts';
import { LOOPBACK, originOf } from '../ports.ts';
import { endGroup, spawnLeashed } from '../processes.ts';
import { findEngineBinary } from './engine-binary.ts';

const START_TIMEOUT_MS = 10_000;
const STOP_GRACE_MS = 3_000;

/** One run of the engine's program. */
export interface EngineProcess {
  readonly pid: number;
  readonly port: number;
  /** Resolves when the process has ended, with its exit code or signal. */
  readonly exited: Promise<string>;
  end(): Promise<void>;
}

/**
 * Runs the engine on the folder's data, and returns when it answers.
 *
 * @throws Error with the engine's last line of output if it ends or does not answer.
 */
export async function startEngineProcess(
  folder: DataFolder,
  port: number,
  report: (line: string) => void,
): Promise<EngineProcess> {
  const engine = findEngineBinary();
  await mkdir(folder.path('dynamodb'), { recursive: true });
  const logPath = folder.path('logs', 'dynamodb.log');
  const log = new LogFile(logPath, report);
  const data = folder.path('dynamodb', 'data.sqlite');
  const child = spawnLeashed(engine, ['--db-path', data, '--host', LOOPBACK, '--port', String(port)], {});
  let lastWords = '';
  for (const input of [child.stdout, child.stderr]) {
    if (input === null) continue;
    createInterface({ input }).on('line', (line) => {
      lastWords = line;
      log.write(line);
    });
  }
  let ended: string | undefined;
  const exited = new Promise<string>((resolve) => {
    child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once('error', (error) => resolve(error.message));
  }).then(async (how) => {
    ended = how;
    await log.close();
    return how;
  });
  const end = async () => {
    await endGroup(child, STOP_GRACE_MS);
    await exited;
  };
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(port)) || ended !== undefined) {
    if (ended !== undefined || Date.now() > deadlineMs) {
      await end();
      throw new Error(`Cannot start DynamoDB on port ${port}: ${lastWords} (${await exited}; its log is ${logPath})`);
    }
    await sleep(5);
  }
  return { pid: child.pid ?? 0, port, exited, end };
}

async function answers(port: number): Promise<boolean> {
  try {
    await (await fetch(originOf(port))).text();
    return true;
  } catch {
    return false;
  }
}
