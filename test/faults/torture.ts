/**
 * `npm run torture`: every fault at every call of everything that records and sends, every interleaving of recorder,
 * application and late join, also with a write that takes effect late, and random schedules. Nothing may be lost, doubled or wrong. `--without` takes a guard out of
 * the code: then something must be.
 */
import '../quiet-log.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../bin/support/command.ts';
import { wholeNumber } from '../../bin/support/whole-number.ts';
import { type SynthesizedStack, synthesize } from '../../local/stack/synthesize.ts';
import type { Verdict } from './expected-rows.ts';
import type { FaultProxyOptions } from './fault-proxy.ts';
import { isGuard, WITHOUT } from './guards.ts';
import { type Cast, explore } from './interleavings.ts';
import { playRandom } from './random-schedules.ts';
import { playRandomSending } from './random-sending.ts';
import { allCases, callsOf, judge, type Outcome, play, playEach, WAYS } from './recording.ts';
import { type SenderLane, type Senders, startSenders } from './sender-lane.ts';
import { casesOfLetter, playSending, type SendingOutcome } from './sending.ts';
import { LETTER_NAMES } from './sending-cases.ts';
import { sendingVerdict } from './sending-verdict.ts';
import { type Lane, type LaneOptions, startStorage, type TestStorage } from './storage.ts';

const LANES = 6;
/** A sender mostly waits. */
const SENDER_LANES = 12;
/** Schedules or states between two signs of life. */
const PROGRESS_EVERY = 50;
/** Random schedules in one storage: the engine is slower the more it holds. */
const SCHEDULES_TOGETHER = 100;

/** The part that `--without rejoin` plays: nothing else needs that guard. */
const LATE_WRITE = '… with a late write';

const CASTS: [string, Cast, NonNullable<FaultProxyOptions['batches']>][] = [
  ['interleavings', { recorders: 1, logRow: 'whole', crashes: 1 }, 'at once'],
  ['… item by item', { recorders: 1, logRow: 'whole', crashes: 1 }, 'item by item'],
  ['… backwards', { recorders: 1, logRow: 'whole', crashes: 1 }, 'backwards'],
  ['… of an application', { recorders: 1, logRow: 'of an application', crashes: 1 }, 'at once'],
  [LATE_WRITE, { recorders: 1, logRow: 'whole', crashes: 0, lateWrite: true }, 'at once'],
  ['… with two recorders', { recorders: 2, logRow: 'whole', crashes: 1 }, 'at once'],
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

// What waits for the exit takes the engine along.
process.once('SIGINT', () => process.exit(130));
await runCommand(
  {
    command: 'npm run torture',
    does: 'lets storage and providers fail in every way, and fails if a row or a mail is lost, doubled or wrong',
    options: {
      schedules: { default: '1000', help: 'random schedules, so many of recording and so many of sending' },
      seed: {
        default: String(Date.now() % 1_000_000),
        help: 'of the first random schedule; the next one has the next',
      },
      without: {
        default: 'none',
        help: `the guard that is taken out, of the parts that it guards: ${Object.keys(WITHOUT).join(', ')}`,
      },
    },
  },
  async ({ schedules, seed, without }) => {
    if (!isGuard(without)) throw new Error(`Cannot leave out ${without}: choose ${Object.keys(WITHOUT).join(', ')}`);
    console.log(
      `Seed ${seed}, ${without === 'none' ? 'all guards in place' : `without ${without}: to the first part that shows it`}`,
    );
    const rewrite = WITHOUT[without];
    const first = wholeNumber('seed', seed, { max: 1e9 });
    const seeds = Array.from({ length: wholeNumber('schedules', schedules, { max: 1e6 }) }, (_, n) => first + n);
    const stack = await synthesizeOnce();
    const parts: Part[] = [];
    const examples: Labelled[] = [];

    const run = async (part: string, options: LaneOptions, work: Work) => {
      if (without === 'claim' || (without === 'rejoin' && part !== LATE_WRITE) || isShown()) return;
      const storage = await startStorage(stack.template);
      try {
        const lanes = await Promise.all(Array.from({ length: LANES }, () => storage.lane(options)));
        for (const { proxy } of lanes) proxy.rewrite = rewrite;
        keep(part, await work(storage, lanes, progressOf(part)), lanes);
      } finally {
        await storage.close();
      }
    };
    const runSender = async (part: string, work: SenderWork) => {
      if ((without !== 'none' && without !== 'claim') || isShown()) return;
      await withSenders(stack, async (senders) => {
        const lanes = await Promise.all(Array.from({ length: SENDER_LANES }, () => senders.lane()));
        for (const { proxy } of lanes) proxy.rewrite = rewrite;
        const outcomes = await work(lanes, progressOf(part));
        keep(part, await foundInSending(outcomes, senders), lanes);
      });
    };
    /** Without a guard one part that is not as it must be is enough. */
    const isShown = () => without !== 'none' && examples.length > 0;
    const keep = (part: string, found: Found, lanes: readonly (Lane | SenderLane)[]) => {
      const row = rowOf(part, found, lanes);
      console.log(`  ${row.schedules} schedules: ${row.lost} lost, ${row.doubled} doubled, ${row.wrong} wrong`);
      const before = parts.findIndex((other) => other.part === part);
      const known = parts[before];
      if (known) parts[before] = sumOf(known, row);
      else parts.push(row);
      examples.push(...found.verdicts.filter(({ verdict }) => size(verdict) > 0).slice(0, 2));
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
    for (const some of together(seeds)) {
      await run('random schedules', { requestTimeoutMs: 20_000 }, async (storage, lanes, progress) => {
        const playOne = (own: number, lane: Lane) => playRandom(own, lane, storage);
        return foundIn(await playEach(some, lanes, playOne, progress(some.length)), storage);
      });
    }
    for (const letter of LETTER_NAMES) {
      await runSender(`send: ${letter}`, async (lanes, progress) => {
        const [lane] = lanes;
        const cases = lane ? await casesOfLetter(letter, lane) : [];
        return playEach(cases, lanes, playSending, progress(cases.length));
      });
    }
    for (const some of together(seeds)) {
      await runSender('send: random schedules', (lanes, progress) =>
        playEach(some, lanes, playRandomSending, progress(some.length)),
      );
    }

    process.stdout.write('\n');
    console.table(parts);
    for (const { label, verdict } of examples) console.log(`${label}\n${JSON.stringify(verdict, undefined, 2)}`);
    const bad = parts.filter(({ lost, doubled, wrong }) => lost + doubled + wrong > 0);
    if (bad.length > 0) throw new Error(`Rows are lost, doubled or wrong in ${bad.length} of ${parts.length} parts`);
    console.log('Nothing lost, nothing doubled, nothing wrong.');
  },
);

/** The stack with its bundles, in a folder that goes with this process. */
async function synthesizeOnce(): Promise<SynthesizedStack> {
  const dir = mkdtempSync(join(tmpdir(), 'todoke-torture-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return synthesize({ outDir: dir });
}

type Work = (storage: TestStorage, lanes: readonly Lane[], progress: Progress) => Promise<Found>;
type SenderWork = (lanes: readonly SenderLane[], progress: Progress) => Promise<readonly SendingOutcome[]>;
type Progress = (total?: number) => (done: number) => void;

async function withSenders(stack: SynthesizedStack, work: (senders: Senders) => Promise<void>): Promise<void> {
  const storage = await startStorage(stack.template);
  try {
    const senders = await startSenders(stack, storage);
    try {
      await work(senders);
    } finally {
      await senders.close();
    }
  } finally {
    await storage.close();
  }
}

async function foundIn(outcomes: readonly Outcome[], storage: TestStorage): Promise<Found> {
  return {
    schedules: outcomes.length,
    events: outcomes.reduce((sum, { events }) => sum + events, 0),
    verdicts: judge(outcomes, await storage.rows()),
  };
}

/** What the providers took counts as an event. */
async function foundInSending(outcomes: readonly SendingOutcome[], senders: Senders): Promise<Found> {
  const rows = await senders.rows();
  return {
    schedules: outcomes.length,
    events: outcomes.flatMap(({ mails }) => mails.flatMap(({ takings }) => takings)).length,
    verdicts: outcomes.map(({ label, mails, crashes }) => ({ label, verdict: sendingVerdict(mails, rows, crashes) })),
  };
}

function rowOf(part: string, { schedules, events, verdicts }: Found, lanes: readonly (Lane | SenderLane)[]): Part {
  const sum = (count: (lane: Lane | SenderLane) => number) => lanes.reduce((total, lane) => total + count(lane), 0);
  const proxies = lanes.flatMap((lane) => ('queue' in lane ? [lane.proxy, lane.queue.proxy] : [lane.proxy]));
  const rows = (kind: keyof Verdict) => verdicts.reduce((total, { verdict }) => total + verdict[kind].length, 0);
  return {
    part,
    schedules,
    faults:
      proxies.reduce((total, proxy) => total + proxy.injected(), 0) +
      sum((lane) => ('providers' in lane ? lane.providers.injected() : 0)),
    requests: proxies.reduce((total, proxy) => total + proxy.requests(), 0),
    events,
    lost: rows('lost'),
    doubled: rows('doubled'),
    wrong: rows('wrong'),
  };
}

function sumOf(row: Part, other: Part): Part {
  return {
    part: row.part,
    schedules: row.schedules + other.schedules,
    faults: row.faults + other.faults,
    requests: row.requests + other.requests,
    events: row.events + other.events,
    lost: row.lost + other.lost,
    doubled: row.doubled + other.doubled,
    wrong: row.wrong + other.wrong,
  };
}

function together(seeds: readonly number[]): number[][] {
  return Array.from({ length: Math.ceil(seeds.length / SCHEDULES_TOGETHER) }, (_, n) =>
    seeds.slice(n * SCHEDULES_TOGETHER, (n + 1) * SCHEDULES_TOGETHER),
  );
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
