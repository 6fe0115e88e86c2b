/**
 * `npm run torture`: every fault at every call of everything that records, every interleaving of receiver, application
 * and late join, and random schedules. Nothing may be lost, doubled or wrong. `--without` takes a guard out of the code:
 * then something must be.
 */

import { runCommand } from '../../bin/support/command.ts';
import { parseTemplate } from '../../local/stack/template.ts';
import { synthesized } from '../lib/synthesized.ts';
import type { Verdict } from './expected-rows.ts';
import type { FaultProxyOptions } from './fault-proxy.ts';
import { isGuard, WITHOUT } from './guards.ts';
import { type Cast, explore } from './interleavings.ts';
import { playRandom } from './random-schedules.ts';
import { allCases, callsOf, judge, type Outcome, play, playEach, WAYS } from './recording.ts';
import { type Lane, type LaneOptions, startStorage, type TestStorage } from './storage.ts';

const LANES = 6;
/** Schedules or states between two signs of life. */
const PROGRESS_EVERY = 50;

const CASTS: [string, Cast, NonNullable<FaultProxyOptions['batches']>][] = [
  ['interleavings', { receivers: 1, logRow: 'whole', crashes: 1 }, 'at once'],
  ['… item by item', { receivers: 1, logRow: 'whole', crashes: 1 }, 'item by item'],
  ['… backwards', { receivers: 1, logRow: 'whole', crashes: 1 }, 'backwards'],
  ['… of an application', { receivers: 1, logRow: 'of an application', crashes: 1 }, 'at once'],
  ['… with two receivers', { receivers: 2, logRow: 'whole', crashes: 1 }, 'at once'],
];

interface Part {
  readonly part: string;
  readonly schedules: number;
  readonly faults: number;
  readonly requests: number;
  readonly events: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
}

/** What a part's work gives, without what the proxies count. */
type Found = Pick<Part, 'schedules' | 'events'> & { readonly verdicts: readonly Labelled[] };
type Labelled = { readonly label: string; readonly verdict: Verdict };

await runCommand(
  {
    command: 'npm run torture --',
    does: 'lets storage fail in every way while posts are recorded, and fails if a row is lost, doubled or wrong',
    options: {
      schedules: { default: '1000', help: 'random schedules' },
      seed: {
        default: String(Date.now() % 1_000_000),
        help: 'of the first random schedule; the next one has the next',
      },
      without: { default: 'none', help: `the guard that is taken out: ${Object.keys(WITHOUT).join(', ')}` },
    },
  },
  async ({ schedules, seed, without }) => {
    if (!isGuard(without)) throw new Error(`Cannot leave out ${without}: choose ${Object.keys(WITHOUT).join(', ')}`);
    console.log(`Seed ${seed}, ${without === 'none' ? 'all guards in place' : `without ${without}`}`);
    const rewrite = WITHOUT[without];
    const parts: Part[] = [];
    const examples: Labelled[] = [];

    const run = async (part: string, options: LaneOptions, work: Work) => {
      const storage = await startStorage(parseTemplate(synthesized().toJSON()));
      try {
        const lanes = await Promise.all(Array.from({ length: LANES }, () => storage.lane(options)));
        for (const { proxy } of lanes) proxy.rewrite = rewrite;
        const found = await work(storage, lanes, progressOf(part));
        parts.push(rowOf(part, found, lanes));
        examples.push(...found.verdicts.filter(({ verdict }) => size(verdict) > 0).slice(0, 2));
      } finally {
        await storage.close();
      }
    };

    for (const way of WAYS) {
      await run(way, {}, async (storage, lanes, progress) => {
        const [lane] = lanes;
        const cases = lane ? allCases(way, await callsOf(way, lane, storage)) : [];
        const outcomes = await playEach(cases, lanes, (kase, own) => play(kase, own, storage), progress(cases.length));
        return foundIn(outcomes, storage);
      });
    }
    for (const [name, cast, batches] of CASTS) {
      await run(name, { batches }, async (storage, lanes, progress) => {
        const { schedules, ends } = await explore(cast, lanes, storage, progress());
        return {
          schedules,
          events: ends.length,
          verdicts: ends.map(({ schedule, verdict }) => ({ label: schedule, verdict })),
        };
      });
    }
    // The sender's part comes here, with its own guard, the claim.
    await run('random schedules', { requestTimeoutMs: 20_000 }, async (storage, lanes, progress) => {
      const seeds = Array.from({ length: Number(schedules) }, (_, n) => Number(seed) + n);
      const outcomes = await playEach(
        seeds,
        lanes,
        (own, lane) => playRandom(own, lane, storage),
        progress(seeds.length),
      );
      return foundIn(outcomes, storage);
    });

    process.stdout.write('\n');
    console.table(parts);
    for (const { label, verdict } of examples) console.log(`${label}\n${JSON.stringify(verdict, undefined, 2)}`);
    const bad = parts.filter(({ lost, doubled, wrong }) => lost + doubled + wrong > 0);
    if (bad.length > 0) throw new Error(`Rows are lost, doubled or wrong in ${bad.length} of ${parts.length} parts`);
    console.log('Nothing lost, nothing doubled, nothing wrong.');
  },
);

type Work = (storage: TestStorage, lanes: readonly Lane[], progress: Progress) => Promise<Found>;
type Progress = (total?: number) => (done: number) => void;

async function foundIn(outcomes: readonly Outcome[], storage: TestStorage): Promise<Found> {
  return {
    schedules: outcomes.length,
    events: outcomes.reduce((sum, { events }) => sum + events, 0),
    verdicts: judge(outcomes, await storage.rows()),
  };
}

function rowOf(part: string, { schedules, events, verdicts }: Found, lanes: readonly Lane[]): Part {
  const sum = (count: (lane: Lane) => number) => lanes.reduce((total, lane) => total + count(lane), 0);
  const rows = (kind: keyof Verdict) => verdicts.reduce((total, { verdict }) => total + verdict[kind].length, 0);
  return {
    part,
    schedules,
    faults: sum(({ proxy }) => proxy.injected()),
    requests: sum(({ proxy }) => proxy.requests()),
    events,
    lost: rows('lost'),
    doubled: rows('doubled'),
    wrong: rows('wrong'),
  };
}

function size({ lost, doubled, wrong }: Verdict): number {
  return lost.length + doubled.length + wrong.length;
}

/** On a line of its own every so often. */
function progressOf(part: string): Progress {
  const startedAtMs = Date.now();
  console.log(part);
  return (total) => (done) => {
    if (done % PROGRESS_EVERY !== 0) return;
    const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(0);
    console.log(`  … ${done}${total === undefined ? ' states' : ` of ${total}`}, ${seconds} s`);
  };
}
