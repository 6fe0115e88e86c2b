/** Figure: from npm start to ready. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cleanup } from '../../local/cleanup.ts';
import { endGroup } from '../../local/processes.ts';
import type { Bench } from '../support/bench.ts';
import { type Figure, figure, rounded } from '../support/figure.ts';
import { REGION } from '../support/storage.ts';

/** What a stop may take. */
const STOP_MS = 20_000;

/** From `npm start` until it says that it is ready, on a folder that was used before. */
export async function localMode(bench: Bench): Promise<Figure[]> {
  const dir = await mkdtemp(join(bench.dir, 'start-'));
  const first = await start(dir, bench.cleanup);
  const seconds: number[] = [];
  for (let run = 0; run < bench.runs; run++) seconds.push(await start(dir, bench.cleanup));
  return [
    figure({
      name: 'local mode',
      samples: seconds,
      unit: 's to ready, second time',
      goal: { atMost: 10 },
      detail: `the first time ${rounded(first)} s; npm and the synthesis are in it`,
    }),
  ];
}

/** @returns seconds */
async function start(dir: string, cleanup: Cleanup): Promise<number> {
  const startedAtMs = performance.now();
  const child = spawn('npm', ['start', '--', '--port', '0', '--dir', dir], {
    // A group of its own, so that all that npm starts is ended with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, AWS_REGION: REGION },
  });
  const exited = once(child, 'exit');
  const end = async () => {
    await endGroup(child, STOP_MS);
    await exited;
    await folderIsFree(dir);
  };
  cleanup.defer('end local mode', end);
  try {
    await ready(child);
    return (performance.now() - startedAtMs) / 1000;
  } finally {
    await end();
  }
}

/** npm may be gone before what it started has let go of the folder. */
async function folderIsFree(dir: string): Promise<void> {
  const deadlineMs = Date.now() + STOP_MS;
  while (existsSync(join(dir, 'lock.json'))) {
    if (Date.now() > deadlineMs) throw new Error(`Cannot end local mode: it still runs on ${dir}`);
    await sleep(10);
  }
}

async function ready({ stdout }: ChildProcess): Promise<void> {
  if (stdout === null) throw new Error('Cannot measure local mode: it has no output');
  for await (const line of createInterface({ input: stdout })) {
    if (/\bReady$/.test(line)) return;
  }
  throw new Error('Cannot measure local mode: it ended before it was ready');
}
