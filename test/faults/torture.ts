/**
 * `npm run torture` plays every fault at every call of everything that records and sends, every interleaving of recorder,
 * application and late join (also with a write that takes effect late), and random schedules. Nothing may be lost, doubled
 * or wrong. `--without` disables a guard of the code: then something must be lost, doubled or wrong.
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
import { playRandomSchedules } from './random-schedules.ts';
import { playRandomSending } from './random-sending.ts';
import { allCases, callsOf, judge, type Outcome, play, playEach, WAYS } from './recording.ts';
import { type SenderRig, type Senders, startSenders } from './sender-rig.ts';
import { casesOfLetter, playSending, type SendingOutcome } from './sending.ts';
import { LETTER_NAMES } from './sending-cases.ts';
import { sendingVerdict } from './sending-verdict.ts';
import { type Rig, type RigOptions, startStorage, type TestStorage } from './storage.ts';

const RIGS = 6;
/** A sender mostly waits. */
const SENDER_RIGS = 12;
/** A progress line is printed after this many schedules or states. */
const PROGRESS_EVERY = 50;
/** Random schedules that share one storage. The engine gets slower as it fills. */
const SCHEDULES_TOGETHER = 100;

/** The part that `--without rejoin` plays. Only this part needs that guard. */
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

/** The result of a part, without the counts of the proxies. */
type Found = Pick<Part, 'schedules' | 'events'> & { readonly verdicts: readonly Labelled[] };
type Labelled = { readonly label: string; readonly verdict: Verdict };

// The exit handlers also stop the engine.
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

    const run = async (part: string, options: RigOptions, work: Work) => {
      if (without === 'claim' || (without === 'rejoin' && part !== LATE_WRITE) || isShown()) return;
      const storage = await startStorage(stack.template);
      try {
        const rigs = await Promise.all(Array.from({ length: RIGS }, () => storage.rig(options)));
        for (const { proxy } of rigs) proxy.rewrite = rewrite;
        keep(part, await work(storage, rigs, progressOf(part)), rigs);
      } finally {
        await storage.close();
      }
    };
    const runSender = async (part: string, work: SenderWork) => {
      if ((without !== 'none' && without !== 'claim') || isShown()) return;
      await withSenders(stack, async (senders) => {
        const rigs = await Promise.all(Array.from({ length: SENDER_RIGS }, () => senders.rig()));
        for (const { proxy } of rigs) proxy.rewrite = rewrite;
        const outcomes = await work(rigs, progressOf(part));
        keep(part, await foundInSending(outcomes, senders), rigs);
      });
    };
    /** With a guard disabled, one part with a wrong result is enough. */
    const isShown = () => without !== 'none' && examples.length > 0;
    const keep = (part: string, found: Found, rigs: readonly (Rig | SenderRig)[]) => {
      const row = rowOf(part, found, rigs);
      console.log(`  ${row.schedules} schedules: ${row.lost} lost, ${row.doubled} doubled, ${row.wrong} wrong`);
      const before = parts.findIndex((other) => other.part === part);
      const known = parts[before];
      if (known) parts[before] = sumOf(known, row);
      else parts.push(row);
      examples.push(...found.verdicts.filter(({ verdict }) => size(verdict) > 0).slice(0, 2));
    };

    for (const way of WAYS) {
      await run(way, {}, async (storage, rigs, progress) => {
        const [rig] = rigs;
        const cases = rig ? allCases(way, await callsOf(way, rig, storage)) : [];
        const outcomes = await playEach(cases, rigs, (kase, own) => play(kase, own, storage), progress(cases.length));
        return foundIn(outcomes, storage);
      });
    }
    for (const [name, cast, batches] of CASTS) {
      await run(name, { batches }, async (storage, rigs, progress) => {
        const { schedules, ends } = await explore(cast, rigs, storage, progress());
        return {
          schedules,
          events: ends.length,
          verdicts: ends.map(({ schedule, verdict }) => ({ label: schedule, verdict })),
        };
      });
    }
    for (const some of together(seeds)) {
      await run('random schedules', { requestTimeoutMs: 20_000 }, async (storage, rigs, progress) => {
        return foundIn(await playRandomSchedules(some, rigs, storage, progress(some.length)), storage);
      });
    }
    for (const letter of LETTER_NAMES) {
      await runSender(`send: ${letter}`, async (rigs, progress) => {
        const [rig] = rigs;
        const cases = rig ? await casesOfLetter(letter, rig) : [];
        return playEach(cases, rigs, playSending, progress(cases.length));
      });
    }
    for (const some of together(seeds)) {
      await runSender('send: random schedules', (rigs, progress) =>
        playEach(some, rigs, playRandomSending, progress(some.length)),
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

/** The stack with its bundles, in a folder that is deleted when this process exits. */
async function synthesizeOnce(): Promise<SynthesizedStack> {
  const dir = mkdtempSync(join(tmpdir(), 'todoke-torture-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return synthesize({ outDir: dir });
}

type Work = (storage: TestStorage, rigs: readonly Rig[], progress: Progress) => Promise<Found>;
type SenderWork = (rigs: readonly SenderRig[], progress: Progress) => Promise<readonly SendingOutcome[]>;
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

/** Each message that the providers took counts as an event. */
async function foundInSending(outcomes: readonly SendingOutcome[], senders: Senders): Promise<Found> {
  const rows = await senders.rows();
  return {
    schedules: outcomes.length,
    events: outcomes.flatMap(({ mails }) => mails.flatMap(({ takings }) => takings)).length,
    verdicts: outcomes.map(({ label, mails, crashes }) => ({ label, verdict: sendingVerdict(mails, rows, crashes) })),
  };
}

function rowOf(part: string, { schedules, events, verdicts }: Found, rigs: readonly (Rig | SenderRig)[]): Part {
  const sum = (count: (rig: Rig | SenderRig) => number) => rigs.reduce((total, rig) => total + count(rig), 0);
  const proxies = rigs.flatMap((rig) => ('queue' in rig ? [rig.proxy, rig.queue.proxy] : [rig.proxy]));
  const rows = (kind: keyof Verdict) => verdicts.reduce((total, { verdict }) => total + verdict[kind].length, 0);
  return {
    part,
    schedules,
    faults:
      proxies.reduce((total, proxy) => total + proxy.injected(), 0) +
      sum((rig) => ('providers' in rig ? rig.providers.injected() : 0)),
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

/** Prints the progress at intervals, on a line of its own. */
function progressOf(part: string): Progress {
  const startedAtMs = Date.now();
  console.log(part);
  return (total) => (done) => {
    if (done % PROGRESS_EVERY !== 0) return;
    const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(0);
    console.log(`  … ${done}${total === undefined ? ' states' : ` of ${total}`}, ${seconds} s`);
  };
}
