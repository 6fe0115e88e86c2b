/** `npm run bench`: measures every figure of docs/performance.md against its goal, side by side with the baselines. */
import { runCommand } from '../bin/support/command.ts';
import { bundle } from './figures/bundle.ts';
import { normalizing } from './figures/normalizing.ts';
import { requests } from './figures/requests.ts';
import { signature } from './figures/signature.ts';
import { type Bench, withBench } from './support/bench.ts';
import type { Figure } from './support/figure.ts';

const MEASUREMENTS: Readonly<Record<string, (bench: Bench) => Promise<Figure[]>>> = {
  requests,
  normalizing,
  bundle,
  signature,
};

await runCommand(
  {
    command: 'npm run bench --',
    does: 'measures every figure of docs/performance.md, and writes it down there, in results.json and in the chart',
    options: {
      runs: { default: '5', help: 'of each side, in turn; medians are shown' },
      only: {
        default: '',
        help: `some of them, with commas, and nothing is written down: ${Object.keys(MEASUREMENTS)}`,
      },
    },
  },
  async ({ runs, only }) => {
    await withBench(Number(runs), async (bench) => {
      for (const [name, measure] of Object.entries(MEASUREMENTS)) {
        if (only !== '' && !only.split(',').includes(name)) continue;
        const t = Date.now();
        for (const f of await measure(bench)) console.log(f);
        console.log(name, Date.now() - t);
      }
    });
  },
);
