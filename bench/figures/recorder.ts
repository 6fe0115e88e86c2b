/** Figures of the recorder: requests, time, CPU time and memory. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bench, baseline } from '../support/bench.ts';
import { DISTANCE_MS } from '../support/distance.ts';
import { type Figure, figure, median, ratios, rounded } from '../support/figure.ts';
import type { Measured, MeasuredProcess } from '../support/measured-process.ts';
import {
  bounces,
  deliveries,
  inTenPosts,
  LARGE_POST_EVENTS,
  logRow,
  messageIdOf,
  opensAndClicks,
  postInvocation,
  queueInvocation,
  SENDGRID_PUBLIC_KEY,
} from '../support/posts.ts';
import type { BenchStorage } from '../support/storage.ts';
import { capacityOf, largestItemBytes, writtenItems } from '../support/write-units.ts';

const RECORDER = 'record-events';

/** Counts, at a proxy, the recorder's requests to DynamoDB, and the write units of what it writes. */
export async function requests(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const recorder = await bench.start(RECORDER, storage.counted);
  const count = async (invocation: unknown) => {
    storage.proxy.calls.length = 0;
    await recorder.invoke(invocation);
    return storage.proxy.calls.length;
  };
  const sendGrid = (...posts: readonly unknown[][]) => count(queueInvocation('sendgrid', ...posts));

  const onePost = await sendGrid(bounces({ tag: 'one', count: 100 }));
  const tenPosts = await sendGrid(...inTenPosts(bounces({ tag: 'ten', count: 100 })));
  const unlogged = await sendGrid(bounces({ tag: 'unlogged', count: LARGE_POST_EVENTS }));
  const logged = await sendGrid(await loggedBounces(storage, 'logged', LARGE_POST_EVENTS));
  const bounceUnits = capacityOf(writtenItems(storage.proxy.calls), storage.tables);
  const hotRecipients = Array.from({ length: 1_000 }, (_, n) => `recipient-${n}@example.jp`);
  await storage.put(storage.tables.SENT_LOG_TABLE, [logRow(messageIdOf('hot', 0), hotRecipients)]);
  const hot = await sendGrid(bounces({ tag: 'hot', count: 2_000, mails: 1 }));
  const hotBytes = largestItemBytes(storage.proxy.calls);
  const delivered = await count(queueInvocation('customers-mail-cloud', deliveries('delivered', 100)));
  const progressUnits = capacityOf(writtenItems(storage.proxy.calls), storage.tables);
  const irrelevant = await sendGrid(opensAndClicks(100));
  await recorder.stop();
  await storage.close();

  return [
    figure({
      name: 'requests',
      samples: [unlogged / LARGE_POST_EVENTS],
      unit: 'requests per bounce',
      goal: { atMost: 0.1 },
      goalText: '≤ 0.1, per delivery ≤ 0.04; ten posts as one; none for opens',
      also: tenPosts === onePost && delivered <= 4 && irrelevant === 0,
      detail: `100 bounces: ${onePost} requests in one post, ${tenPosts} in ten; ${LARGE_POST_EVENTS} bounces: ${unlogged}, ${logged} if every mail is logged; 2,000 bounces of one mail with 1,000 recipients: ${hot}, the largest row has ${hotBytes} bytes; 100 deliveries of Customers Mail Cloud: ${delivered}; 100 opens and clicks: ${irrelevant}; sequential: 2 per event`,
    }),
    figure({
      name: 'write units',
      samples: [progressUnits.units / 100],
      unit: 'units per progress event',
      goal: { atMost: 2 },
      detail: `a bounce is ${(bounceUnits.units / LARGE_POST_EVENTS).toFixed(1)}: ${bounceUnits.detail}; a progress event: ${progressUnits.detail}`,
    }),
  ];
}

/** The large post in ten messages: the recorder, the floor and the sequential baseline, in turn. */
export async function recording(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const events = await loggedBounces(storage, 'large', LARGE_POST_EVENTS);
  const messages = queueInvocation('sendgrid', ...inTenPosts(events));
  // A tenth of the post: all of it takes the sequential baseline half a minute.
  const tenth = postInvocation(events.slice(0, LARGE_POST_EVENTS / 10));
  const floor = { FLOOR_REQUESTS: await requestsOf(bench, storage, messages) };
  const silent = { ...floor, FLOOR_SETTINGS: 'ours' };
  const distant = { AWS_ENDPOINT_URL_DYNAMODB: bench.distantAws };
  const sequential = (environment: object) =>
    bench.start(baseline('sequential'), { ...environment, SENDGRID_PUBLIC_KEY });

  const far = await inTurn(bench, {
    recorder: [await bench.start(RECORDER, distant), [messages]],
    sequential: [await sequential(distant), [tenth]],
  });
  const engine = await inTurn(bench, {
    recorder: [await bench.start(RECORDER, storage.far), [messages]],
    floor: [await bench.start(baseline('floor'), { ...storage.far, ...silent }), [messages]],
    sequential: [await sequential(storage.far), [tenth]],
  });
  const alone = await bench.start(baseline('floor'), { ...storage.near, ...silent });
  const spent = storage.engineCpu();
  await alone.invoke(messages);
  const engineMs = spent();
  await alone.stop();
  await storage.close();
  // Several invocations per run: a short one is measured too coarsely, and the recorder's code must be compiled.
  const repeated = Array.from({ length: 5 }, () => messages);
  const near = await inTurn(bench, {
    recorder: [await bench.start(RECORDER), repeated],
    floor: [await bench.start(baseline('floor'), floor), repeated],
    silentFloor: [await bench.start(baseline('floor'), silent), repeated],
  });

  const wall = (measured: readonly Measured[], times = 1) => measured.map(({ wallMs }) => wallMs * times);
  const cpu = (measured: readonly Measured[]) =>
    measured.map(({ cpuMs }) => (cpuMs * 1000) / LARGE_POST_EVENTS / repeated.length);
  const ms = (samples: readonly number[]) => `${Math.round(median(samples)).toLocaleString('en-US')} ms`;
  const us = (samples: readonly number[]) => `${Math.round(median(samples))} µs`;
  const farSequential = wall(far.sequential, 10);
  const engineSequential = wall(engine.sequential, 10);
  return [
    figure({
      name: 'time',
      samples: ratios(farSequential, wall(far.recorder)),
      unit: `times faster than sequential, if tables answer after ${DISTANCE_MS} ms`,
      goal: { atLeast: 20 },
      detail: `${LARGE_POST_EVENTS} bounces in ten posts in ${ms(wall(far.recorder))}, sequential ${ms(farSequential)}`,
    }),
    figure({
      name: 'time, engine',
      samples: ratios(engineSequential, wall(engine.recorder)),
      unit: `times faster than sequential, if the engine answers ${DISTANCE_MS} ms later`,
      detail: `${ms(wall(engine.recorder))}, floor ${ms(wall(engine.floor))}, sequential ${ms(engineSequential)}; the engine's one thread alone computes for ${Math.round(engineMs)} ms`,
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
  const storage = await bench.storage();
  const far = await eventsPerSecond(bench, { AWS_ENDPOINT_URL_DYNAMODB: bench.distantAws });
  const engine = await eventsPerSecond(bench, storage.far);
  await storage.close();
  const text = (samples: readonly number[]) => Math.round(median(samples)).toLocaleString('en-US');
  const unit = 'times the events a second of sequential';
  return [
    figure({
      name: 'concurrency',
      samples: ratios(far.ours, far.sequential),
      unit: `${unit}, if tables answer after ${DISTANCE_MS} ms`,
      goal: { atLeast: 20 },
      detail: `${RECORDERS} recorders at a time, each with ten posts of 100 bounces: ${text(far.ours)} events a second; sequential ${text(far.sequential)}`,
    }),
    figure({
      name: 'concurrency, engine',
      samples: ratios(engine.ours, engine.sequential),
      unit: `${unit}, if the engine answers ${DISTANCE_MS} ms later`,
      detail: `${text(engine.ours)} events a second, sequential ${text(engine.sequential)}`,
    }),
  ];
}

async function eventsPerSecond(bench: Bench, environment: Readonly<Record<string, string>>) {
  const recorders = await Promise.all(Array.from({ length: RECORDERS }, () => bench.start(RECORDER, environment)));
  const baselineSide = await bench.start(baseline('sequential'), { ...environment, SENDGRID_PUBLIC_KEY });
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
  return { ours, sequential };
}

/** The peak of a new process that gets ten large posts at once. */
export async function memory(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const posts = Array.from({ length: 10 }, (_, n) => bounces({ tag: `memory ${n}`, count: LARGE_POST_EVENTS }));
  const recorder = await bench.start(RECORDER, storage.near);
  const { peakRssBytes } = await recorder.invoke(queueInvocation('sendgrid', ...posts));
  await recorder.stop();
  await storage.close();
  return [
    figure({
      name: 'memory',
      samples: [peakRssBytes / 2 ** 20],
      unit: 'MB, the peak of the recorder',
      goal: { atMost: 512 },
      goalText: '≤ 512, half of the function',
      detail: `ten posts of ${LARGE_POST_EVENTS} bounces in one invocation; idle it has ${Math.round(recorder.loaded.rssBytes / 2 ** 20)} MB`,
    }),
  ];
}

/** Bounces whose mails are in the sent log. */
async function loggedBounces(storage: BenchStorage, tag: string, count: number) {
  const rows = Array.from({ length: count }, (_, n) => logRow(messageIdOf(tag, n), [`recipient-${n}@example.jp`]));
  await storage.put(storage.tables.SENT_LOG_TABLE, rows);
  return bounces({ tag, count });
}

/** @returns a file with the recorder's requests for an invocation, for the floor to send the same */
async function requestsOf(bench: Bench, storage: BenchStorage, invocation: unknown): Promise<string> {
  const recorder = await bench.start(RECORDER, storage.counted);
  storage.proxy.calls.length = 0;
  await recorder.invoke(invocation);
  await recorder.stop();
  const bodies = (action: string) =>
    storage.proxy.calls.filter((call) => call.action === action).map(({ body }) => body);
  const file = join(bench.dir, 'floor-requests.json');
  await writeFile(file, JSON.stringify({ gets: bodies('BatchGetItem'), puts: bodies('BatchWriteItem') }));
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
