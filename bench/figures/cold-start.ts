/** Figure: what loading a receiver takes. */
import type { Bench } from '../support/bench.ts';
import { type Figure, figure, median, ratios, rounded } from '../support/figure.ts';

const RECEIVERS = [
  ['ReceiveSendGrid', 'baselines/sdk-of-receive-sendgrid'],
  ['ReceiveCustomersMailCloud', 'baselines/sdk-of-receive-customers-mail-cloud'],
] as const;
/** Processes of each kind in one run: a single one says little. */
const PROCESSES_PER_RUN = 15;

/** Milliseconds and their ratios, one of each run. */
interface LoadTimes {
  readonly name: string;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  readonly ratio: readonly number[];
}

/** Loads each receiver, and a bundle of nothing but the SDK that it uses, in new processes. */
export async function coldStart(bench: Bench): Promise<Figure[]> {
  const compared: LoadTimes[] = [];
  for (const [name, baseline] of RECEIVERS) {
    const bundles = [bench.function(name), await bench.bundled(baseline)] as const;
    const ours: number[] = [];
    const theirs: number[] = [];
    const ratio: number[] = [];
    for (let run = 0; run < bench.runs; run++) {
      const samples: [number[], number[]] = [[], []];
      for (let n = 0; n < PROCESSES_PER_RUN; n++) {
        for (const side of [0, 1] as const) samples[side].push(await loadMs(bench, bundles[side]));
      }
      ours.push(median(samples[0]));
      theirs.push(median(samples[1]));
      // Of each with the one beside it: the machine is at one time faster than at another.
      ratio.push(median(ratios(...samples)));
    }
    compared.push({ name, ours, theirs, ratio });
  }
  const slowest = compared.reduce((a, b) => (median(a.ratio) > median(b.ratio) ? a : b));
  const detail = ({ name, ours, theirs, ratio }: LoadTimes) =>
    `${name} ${rounded(median(ours))} ms, its SDK alone ${rounded(median(theirs))} ms (${rounded(median(ratio))} times)`;
  return [
    figure({
      name: 'cold start',
      samples: slowest.ratio,
      unit: 'times the load time of its SDK, the slower receiver',
      goal: { atMost: 1.15 },
      detail: `CPU time of loading: ${compared.map(detail).join('; ')}`,
    }),
  ];
}

/** CPU time: a machine with something else to do makes it no longer. */
async function loadMs(bench: Bench, bundle: string): Promise<number> {
  const started = await bench.start(bundle);
  await started.stop();
  return started.loaded.cpuMs;
}
