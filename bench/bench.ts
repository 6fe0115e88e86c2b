/** `npm run bench`: measures every figure of docs/performance.md against its goal, side by side with the baselines. */
import { runCommand } from '../bin/support/command.ts';
import { wholeNumber } from '../bin/support/whole-number.ts';
import { bundle } from './figures/bundle.ts';
import { coldStart } from './figures/cold-start.ts';
import { concurrency } from './figures/concurrency.ts';
import { localMode } from './figures/local-mode.ts';
import { normalizing } from './figures/normalizing.ts';
import { growth, hotMessage, memory, recording } from './figures/recording.ts';
import { requests } from './figures/requests.ts';
import { sender } from './figures/sender.ts';
import { signature } from './figures/signature.ts';
import { describeMachine } from './report/machine.ts';
import { readResults, writeReport } from './report/report.ts';
import { terminalTable } from './report/table.ts';
import { type Bench, withBench } from './support/bench.ts';
import type { Figure } from './support/figure.ts';

const MEASUREMENTS: Readonly<Record<string, (bench: Bench) => Promise<Figure[]>>> = {
  requests,
  recording,
  normalizing,
  memory,
  growth,
  'hot message': hotMessage,
  concurrency,
  'cold start': coldStart,
  bundle,
  signature,
  sender,
  'local mode': localMode,
};

await runCommand(
  {
    command: 'npm run bench',
    does: 'measures every figure of docs/performance.md, and writes them there, into the chart and into bench/results.json',
    options: {
      runs: { default: '5', help: 'of each side, in turn; the medians count' },
      only: {
        default: '',
        help: `some, parted by commas, of ${Object.keys(MEASUREMENTS).join(', ')}; nothing is written then`,
      },
      render: { default: false, help: 'writes chart and page anew from results.json, without measuring' },
    },
  },
  async ({ runs, only, render }) => {
    if (render) return writeReport(await readResults());
    const names = only === '' ? Object.keys(MEASUREMENTS) : only.split(',');
    const unknown = names.find((name) => !Object.hasOwn(MEASUREMENTS, name));
    if (unknown !== undefined) throw new Error(`Cannot measure ${unknown}: there is no such figure`);
    const times = wholeNumber('runs', runs, { min: 1, max: 1_000 });
    const figures: Figure[] = [];
    const startedAtMs = performance.now();
    await withBench(times, async (bench) => {
      for (const [name, measure] of Object.entries(MEASUREMENTS)) {
        if (!names.includes(name)) continue;
        console.log(`${((performance.now() - startedAtMs) / 1000).toFixed(0).padStart(4)} s  ${name}`);
        figures.push(...(await measure(bench)));
      }
    });
    console.log(`\n${terminalTable(figures)}\n`);
    if (only !== '') return;
    const machine = describeMachine(times);
    await writeReport({ machine, figures });
    console.log('Written: bench/results.json, docs/performance.svg and the table in docs/performance.md');
  },
);
