/** `npm run bench`: measures every figure of docs/performance.md, side by side with its baseline. */
import { runCommand } from '../bin/support/command.ts';
import { wholeNumber } from '../bin/support/whole-number.ts';
import { bundles, loadTime, receiving } from './figures/receivers.ts';
import { concurrency, recording } from './figures/recorder.ts';
import { sender } from './figures/sender.ts';
import { terminalTable, writeArithmetic, writeReport } from './report.ts';
import { type Bench, withBench } from './support/bench.ts';
import type { Figure } from './support/figure.ts';

const MEASUREMENTS: Readonly<Record<string, (bench: Bench) => Promise<Figure[]>>> = {
  bundle: bundles,
  'load time': loadTime,
  receiving,
  recording,
  concurrency,
  sender,
};

await runCommand(
  {
    command: 'npm run bench',
    does: 'measures every figure of docs/performance.md, and writes that page',
    options: {
      runs: {
        default: '5',
        help: 'how often each figure and its baseline are measured, in turn; the medians are reported',
      },
      only: {
        default: '',
        help: `some of ${Object.keys(MEASUREMENTS).join(', ')}, separated by commas; does not write the page`,
      },
      arithmetic: { default: false, help: 'measures nothing; writes only the tables that are calculated' },
    },
  },
  async ({ runs, only, arithmetic }) => {
    if (arithmetic) return writeArithmetic();
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
    await writeReport(figures, times);
    console.log('Written: the tables of docs/performance.md');
  },
);
