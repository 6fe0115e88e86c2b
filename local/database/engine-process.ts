/** Starts and ends the engine's program. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataFolder } from '../data-folder.ts';
import { readJsonFile, toJson, writeFileAtomically } from '../files.ts';
import { LOOPBACK, originOf } from '../ports.ts';
import { endProcessGroup, identifyProcess, isRunning, processIdentity } from '../processes.ts';
import { findEngineBinary } from './engine-binary.ts';

const START_TIMEOUT_MS = 10_000;
const STOP_GRACE_MS = 3_000;

/** One run of the engine's program. */
export interface EngineProcess {
  readonly pid: number;
  readonly port: number;
  /** Resolves, when the process has ended, with how. */
  readonly exited: Promise<string>;
  end(): Promise<void>;
}

/**
 * Runs the engine on the folder's data, in a process group of its own, and returns when it answers.
 *
 * @throws Error with the engine's last words where it ends or does not answer.
 */
export async function startEngineProcess(folder: DataFolder, port: number): Promise<EngineProcess> {
  const data = folder.path('dynamodb', 'data.sqlite');
  const log = folder.path('logs', 'dynamodb.log');
  await Promise.all([data, log].map((file) => mkdir(dirname(file), { recursive: true })));
  const engine = findEngineBinary();
  const output = openSync(log, 'a');
  const child = spawn(engine, ['--db-path', data, '--host', LOOPBACK, '--port', String(port)], {
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  // Whoever exits without having ended it takes it along.
  const endAtExit = () => void child.kill('SIGKILL');
  process.once('exit', endAtExit);
  let ended: string | undefined;
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once('error', (error) => resolve(error.message));
  }).then((how) => {
    ended = how;
    process.off('exit', endAtExit);
    return how;
  });
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (identity === undefined) throw new Error(`Cannot start DynamoDB: ${await exited}; its log is ${log}`);
  const end = async () => {
    await endProcessGroup(identity, STOP_GRACE_MS);
    await exited;
    await rm(identityFile(folder), { force: true });
  };
  await writeFileAtomically(identityFile(folder), toJson(identity)).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(port)) || ended !== undefined) {
    if (ended !== undefined || Date.now() > deadlineMs) {
      await end();
      const lastWords = (await readFile(log, 'utf8')).trimEnd().split('\n').at(-1);
      throw new Error(`Cannot start DynamoDB on port ${port}: ${lastWords} (${await exited}; its log is ${log})`);
    }
    await sleep(5);
  }
  return { pid: identity.pid, port, exited, end };
}

/** Ends the engine that an earlier run, killed before it could stop, left behind on this folder. */
export async function endLeftoverEngine(folder: DataFolder): Promise<void> {
  const identity = await readJsonFile(identityFile(folder), processIdentity);
  if (identity !== undefined && isRunning(identity)) await endProcessGroup(identity, STOP_GRACE_MS);
}

const identityFile = (folder: DataFolder) => folder.path('dynamodb', 'process.json');

async function answers(port: number): Promise<boolean> {
  try {
    await (await fetch(originOf(port))).text();
    return true;
  } catch {
    return false;
  }
}
