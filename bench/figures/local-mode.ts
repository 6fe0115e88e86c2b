/** Figure: from the start of local mode to ready. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Bench } from '../support/bench.ts';
import { type Figure, figure, rounded } from '../support/figure.ts';
import { REGION } from '../support/storage.ts';

const STARTS = 3;

/** Starts local mode until it says that it is ready: in a new folder, and then in a folder that was used before. */
export async function localMode(bench: Bench): Promise<Figure[]> {
  const dir = await mkdtemp(join(bench.dir, 'start-'));
  const first = await secondsToReady(bench, dir);
  const samples: number[] = [];
  for (let run = 0; run < STARTS; run++) samples.push(await secondsToReady(bench, dir));
  return [
    figure({
      name: 'local mode',
      samples,
      unit: 's to ready, from the second time on',
      goal: { atMost: 10 },
      detail: `the first time ${rounded(first)} s, with the synthesis`,
    }),
  ];
}

async function secondsToReady({ cleanup }: Bench, dir: string): Promise<number> {
  const startedAtMs = performance.now();
  // What `npm start` runs, without npm: npm may exit before its child.
  const child = spawn(process.execPath, ['--import', 'tsx', 'bin/start.ts', '--port', '0', '--dir', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, AWS_REGION: REGION },
  });
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  cleanup.defer('stop local mode', stop);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (/\bReady$/.test(line)) return (performance.now() - startedAtMs) / 1000;
    }
    throw new Error('Cannot measure local mode: it ended before it was ready');
  } finally {
    await stop();
  }
}
