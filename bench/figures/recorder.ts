/** Figures of the recorder: time, CPU time and concurrency. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bench, baseline } from '../support/bench.ts';
import { type Figure, figure, median, ratios, rounded } from '../support/figure.ts';
import type { Measured, MeasuredProcess } from '../support/measured-process.ts';
import {
  bounces,
  inTenPosts,
  LARGE_POST_EVENTS,
  postInvocation,
  queueInvocation,
  SENDGRID_PUBLIC_KEY,
} from '../support/posts.ts';
import { DISTANCE_MS } from '../support/stand-in.ts';

const RECORDER = 'record-events';

/** The large post in ten messages: the recorder, the floor and the sequential baseline, in turn. */
export async function recording(bench: Bench): Promise<Figure[]> {
  const events = bounces({ tag: 'large', count: LARGE_POST_EVENTS });
  const messages = queueInvocation('sendgrid', ...inTenPosts(events));
  const distant = { AWS_ENDPOINT_URL_DYNAMODB: bench.aws.distantUrl };
  const far = await inTurn(bench, {
    recorder: [await bench.start(RECORDER, distant), [messages]],
    // A tenth of the post: all of it takes the sequential baseline half a minute.
    sequential: [
      await bench.start(baseline('sequential'), { ...distant, SENDGRID_PUBLIC_KEY }),
      [postInvocation(events.slice(0, LARGE_POST_EVENTS / 10))],
    ],
  });
  const floor = { FLOOR_REQUESTS: await requestsOf(bench, messages) };
  // Several invocations per run: one alone is too short to measure, and the recorder's code must be compiled first.
  const repeated = Array.from({ length: 5 }, () => messages);
  const near = await inTurn(bench, {
    recorder: [await bench.start(RECORDER), repeated],
    floor: [await bench.start(baseline('floor'), floor), repeated],
    silentFloor: [await bench.start(baseline('floor'), { ...floor, FLOOR_SETTINGS: 'ours' }), repeated],
  });

  const wall = (measured: readonly Measured[], times = 1) => measured.map(({ wallMs }) => wallMs * times);
  const cpu = (measured: readonly Measured[]) =>
    measured.map(({ cpuMs }) => (cpuMs * 1000) / LARGE_POST_EVENTS / repeated.length);
  const ms = (samples: readonly number[]) => `${Math.round(median(samples)).toLocaleString('en-US')} ms`;
  const us = (samples: readonly number[]) => `${Math.round(median(samples))} µs`;
  const sequential = wall(far.sequential, 10);
  return [
    figure({
      name: 'time',
      samples: ratios(sequential, wall(far.recorder)),
      unit: `times faster than sequential, if tables answer after ${DISTANCE_MS} ms`,
      goal: { atLeast: 20 },
      detail: `${LARGE_POST_EVENTS} bounces in ten posts in ${ms(wall(far.recorder))}, sequential ${ms(sequential)}`,
    }),
    figure({
      name: 'CPU',
      samples: ratios(cpu(near.recorder), cpu(near.floor)),
      unit: "times the CPU time of the floor with the SDK's default settings",
      goal: { atMost: 1.15 },
      detail: `${us(cpu(near.recorder))} an event, floor ${us(cpu(near.floor))}; with our settings of the SDK the floor takes ${us(cpu(near.silentFloor))} (${rounded(median(ratios(cpu(near.recorder), cpu(near.silentFloor))))} times)`,
    }),
  ];
}

/** The default maximum concurrency of the event source (lib/settings.ts). */
const RECORDERS = 5;
const SEQUENTIAL_EVENTS = 100;

/** As many recorders as the event source invokes at a time, ten posts of a hundred bounces each. */
export async function concurrency(bench: Bench): Promise<Figure[]> {
  const distant = { AWS_ENDPOINT_URL_DYNAMODB: bench.aws.distantUrl };
  const recorders = await Promise.all(Array.from({ length: RECORDERS }, () => bench.start(RECORDER, distant)));
  const baselineSide = await bench.start(baseline('sequential'), { ...distant, SENDGRID_PUBLIC_KEY });
  const [ours, sequential]: [number[], number[]] = [[], []];
  for (let run = -2; run < bench.runs; run++) {
    const invocations = recorders.map((_, n) =>
      queueInvocation('sendgrid', ...inTenPosts(bounces({ tag: `recorder ${n} run ${run}`, count: 1_000 }))),
    );
    const startedAtMs = performance.now();
    await Promise.all(recorders.map((recorder, n) => recorder.invoke(invocations[n])));
    const seconds = (performance.now() - startedAtMs) / 1000;
    const post = postInvocation(bounces({ tag: `run ${run}`, count: SEQUENTIAL_EVENTS }));
    const { wallMs } = await baselineSide.invoke(post);
    if (run < 0) continue;
    ours.push((RECORDERS * 1_000) / seconds);
    sequential.push((SEQUENTIAL_EVENTS * 1000) / wallMs);
  }
  await Promise.all([...recorders, baselineSide].map((started) => started.stop()));
  const text = (samples: readonly number[]) => Math.round(median(samples)).toLocaleString('en-US');
  return [
    figure({
      name: 'concurrency',
      samples: ratios(ours, sequential),
      unit: `times the events a second of sequential, if tables answer after ${DISTANCE_MS} ms`,
      goal: { atLeast: 20 },
      detail: `${RECORDERS} recorders at a time, each with ten posts of 100 bounces: ${text(ours)} events a second; sequential ${text(sequential)}`,
    }),
  ];
}

/** @returns a file with the recorder's requests for an invocation, for the floor to send the same */
async function requestsOf(bench: Bench, invocation: unknown): Promise<string> {
  const recorder = await bench.start(RECORDER);
  const calls = await bench.aws.callsDuring(() => recorder.invoke(invocation));
  await recorder.stop();
  const inputs = (action: string) => calls.filter((call) => call.action === action).map(({ input }) => input);
  const file = join(bench.dir, 'floor-requests.json');
  await writeFile(file, JSON.stringify({ gets: inputs('BatchGetItem'), puts: inputs('BatchWriteItem') }));
  return file;
}

const WARM_UP_RUNS = 3;

/** Invokes the sides in turn, and stops them. */
async function inTurn<Name extends string>(
  bench: Bench,
  sides: Readonly<Record<Name, readonly [process: MeasuredProcess, invocations: readonly unknown[]]>>,
): Promise<Record<Name, Measured[]>> {
  const entries = Object.entries<readonly [MeasuredProcess, readonly unknown[]]>(sides);
  const measured: Record<string, Measured[]> = Object.fromEntries(entries.map(([name]) => [name, []]));
  for (let run = -WARM_UP_RUNS; run < bench.runs; run++) {
    for (const [name, [side, invocations]] of entries) {
      const once = await side.invoke(...invocations);
      if (run >= 0) measured[name]?.push(once);
    }
  }
  await Promise.all(entries.map(([, [side]]) => side.stop()));
  return measured as Record<Name, Measured[]>;
}
