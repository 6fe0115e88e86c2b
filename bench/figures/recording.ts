/** Figures: what recording a post takes, of time, CPU and memory, and how that grows. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from '../support/bench.ts';
import { DISTANCE_MS, startDistance } from '../support/distance.ts';
import { type Figure, figure, median, ratios, rounded } from '../support/figure.ts';
import { expectAccepted, type Measured, type MeasuredProcess } from '../support/measured-process.ts';
import {
  bounces,
  LARGE_POST_EVENTS,
  logRow,
  messageIdOf,
  SENDGRID_PUBLIC_KEY,
  sendGridInvocation,
} from '../support/posts.ts';
import type { BenchStorage } from '../support/storage.ts';
import { itemBytes, writtenItems } from '../support/write-units.ts';

const WARM_UP_POSTS = 2;

/** The large post, of logged mails: the receiver, the sequential baseline, and the floor, in turn. */
export async function recording(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const invocation = await largePost(storage, 'large');
  const floorRequests = await requestsOf(bench, storage, invocation);
  const environment = {
    ...storage.tables,
    AWS_ENDPOINT_URL_DYNAMODB: storage.endpoint,
    SENDGRID_PUBLIC_KEY,
    FLOOR_REQUESTS: floorRequests,
  };
  const sides = {
    todoke: await bench.start(bench.function('ReceiveSendGrid'), environment),
    floor: await bench.start(await bench.bundled('baselines/floor'), environment),
    withoutSdk: await bench.start(await bench.bundled('baselines/floor-without-sdk'), environment),
    sequential: await bench.start(await bench.bundled('baselines/sequential'), environment),
  };
  const small = sendGridInvocation(bounces({ tag: 'warm', count: 100 }));
  for (const [name, side] of Object.entries(sides)) {
    // A hundred events are two hundred requests to the sequential one: it gets no warmer.
    const warmUp = name === 'sequential' ? small : invocation;
    for (let n = 0; n < WARM_UP_POSTS; n++) await accepted(side, warmUp);
  }
  const measured: Record<keyof typeof sides, Measured[]> = { todoke: [], floor: [], withoutSdk: [], sequential: [] };
  const engineMs: number[] = [];
  for (let run = 0; run < bench.runs; run++) {
    for (const name of ['todoke', 'floor', 'withoutSdk', 'sequential'] as const) {
      const spent = storage.engineCpu();
      measured[name].push(await accepted(sides[name], invocation));
      if (name === 'todoke') engineMs.push(spent());
    }
  }
  await Promise.all(Object.values(sides).map((side) => side.stop()));
  const far = await recordingFromAfar(bench, storage, environment, invocation);
  await storage.close();

  const wall = (name: keyof typeof sides) => measured[name].map(({ wallMs }) => wallMs);
  const cpu = (name: keyof typeof sides) => measured[name].map(({ cpuMs }) => (cpuMs * 1000) / LARGE_POST_EVENTS);
  const ms = (name: keyof typeof sides) => `${Math.round(median(wall(name)))} ms`;
  const us = (name: keyof typeof sides) => `${Math.round(median(cpu(name)))} µs`;
  return [
    figure({
      name: 'time',
      samples: ratios(wall('sequential'), wall('todoke')),
      unit: 'times faster than sequential',
      goal: { atLeast: 15 },
      detail: `${LARGE_POST_EVENTS} bounces in ${ms('todoke')}, sequential ${ms('sequential')}, floor ${ms('floor')}; the engine alone computed for ${Math.round(median(engineMs))} ms of the receiver's. ${far}`,
    }),
    figure({
      name: 'CPU',
      samples: ratios(cpu('todoke'), cpu('floor')),
      unit: 'times the CPU of the floor',
      goal: { atMost: 2 },
      detail: `${us('todoke')} an event, floor ${us('floor')}, floor without the SDK ${us('withoutSdk')}, sequential ${us('sequential')}`,
    }),
  ];
}

/** The same where each request takes as long as to DynamoDB, which the engine beside us does not show. */
async function recordingFromAfar(
  bench: Bench,
  storage: BenchStorage,
  near: Readonly<Record<string, string>>,
  invocation: unknown,
): Promise<string> {
  const distance = await startDistance(storage.endpoint, bench.cleanup);
  const environment = { ...near, AWS_ENDPOINT_URL_DYNAMODB: distance };
  const todoke = await bench.start(bench.function('ReceiveSendGrid'), environment);
  const sequential = await bench.start(await bench.bundled('baselines/sequential'), environment);
  // A tenth of the post: all of it would take half a minute.
  const tenth = sendGridInvocation(bounces({ tag: 'large', count: LARGE_POST_EVENTS / 10 }));
  const [ours, theirs]: [number[], number[]] = [[], []];
  await accepted(todoke, invocation);
  await accepted(sequential, sendGridInvocation(bounces({ tag: 'large', count: 20 })));
  for (let run = 0; run < bench.runs; run++) {
    ours.push((await accepted(todoke, invocation)).wallMs);
    theirs.push((await accepted(sequential, tenth)).wallMs * 10);
  }
  await Promise.all([todoke.stop(), sequential.stop()]);
  return `Where a request takes ${DISTANCE_MS} ms more, as to DynamoDB: ${Math.round(median(ours))} ms, sequential ${Math.round(median(theirs))} ms, ${rounded(median(ratios(theirs, ours)))} times`;
}

/** How much a process grows over what it has after loading. A process for each run: memory that was given is kept. */
export async function memory(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const invocation = await largePost(storage, 'memory');
  const environment = { ...storage.tables, AWS_ENDPOINT_URL_DYNAMODB: storage.endpoint };
  const grownMb: number[] = [];
  const idleMb: number[] = [];
  for (let run = 0; run < bench.runs; run++) {
    const receiver = await bench.start(bench.function('ReceiveSendGrid'), environment);
    const { peakRssBytes } = await accepted(receiver, invocation);
    idleMb.push(receiver.loaded.rssBytes / 2 ** 20);
    grownMb.push((peakRssBytes - receiver.loaded.rssBytes) / 2 ** 20);
    await receiver.stop();
  }
  await storage.close();
  return [
    figure({
      name: 'memory',
      samples: grownMb,
      unit: 'MB over the idle process',
      goal: { atMost: 64 },
      detail: `peak of the resident memory while a new process takes the post of ${LARGE_POST_EVENTS} bounces; idle it has ${Math.round(median(idleMb))} MB`,
    }),
  ];
}

const GROWTH_SIZES = [1, 10, 100, 1_000, 5_000];
/** Between two sizes that take the same time for an event, as times go. */
const FLAT = 1.25;

/** Time and requests of an event, in posts of one event to five thousand. */
export async function growth(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const environment = { ...storage.tables, AWS_ENDPOINT_URL_DYNAMODB: storage.endpoint };
  const receiver = await bench.start(bench.function('ReceiveSendGrid'), environment);
  const counted = await bench.start(bench.function('ReceiveSendGrid'), {
    ...environment,
    AWS_ENDPOINT_URL_DYNAMODB: storage.proxy.endpoint,
  });
  const requests: number[] = [];
  for (const count of GROWTH_SIZES) {
    storage.proxy.calls.length = 0;
    await accepted(counted, sendGridInvocation(bounces({ tag: 'counted', count })));
    requests.push(storage.proxy.calls.length / count);
  }
  storage.proxy.calls.length = 0;
  for (let n = 0; n < 20; n++) await accepted(receiver, sendGridInvocation(bounces({ tag: 'warm', count: 100 })));
  const times = GROWTH_SIZES.map((): number[] => []);
  for (let run = 0; run < bench.runs; run++) {
    for (const [index, count] of GROWTH_SIZES.entries()) {
      // As many posts as hide what a single small one is disturbed by.
      const posts = Math.max(1, Math.min(20, 100 / count));
      const invocations = Array.from({ length: posts }, (_, n) =>
        sendGridInvocation(bounces({ tag: `g${run}n${n}x`, count })),
      );
      times[index]?.push((await accepted(receiver, ...invocations)).wallMs / posts / count);
    }
  }
  await Promise.all([receiver.stop(), counted.stop()]);
  await storage.close();

  const [atThousand = [], atFiveThousand = []] = times.slice(-2);
  const perEvent = times.map(median);
  return [
    figure({
      name: 'growth',
      samples: ratios(atFiveThousand, atThousand),
      unit: 'times the time an event takes in a post of 1,000, in one of 5,000',
      goal: { atMost: FLAT },
      goalText: `falling, then flat (≤ ${FLAT})`,
      also: fallingThenFlat(perEvent) && fallingThenFlat(requests),
      detail: `${GROWTH_SIZES.map((count, index) => `${count.toLocaleString('en-US')}: ${rounded(perEvent[index] ?? 0)} ms, ${rounded(requests[index] ?? 0)} requests`).join('; ')}; each for one event`,
    }),
  ];
}

function fallingThenFlat(values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || value <= (values[index - 1] ?? 0) * FLAT);
}

const HOT_EVENTS = 2_000;
const HOT_RECIPIENTS = 1_000;

/** Many events of one mail: its log row is large, and all its events are in one story. */
export async function hotMessage(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const recipients = Array.from({ length: HOT_RECIPIENTS }, (_, n) => `recipient-${n}@example.jp`);
  const row = logRow(messageIdOf('hot', 0), recipients);
  await storage.put(storage.tables.SENT_LOG_TABLE, [row]);
  const environment = { ...storage.tables, AWS_ENDPOINT_URL_DYNAMODB: storage.endpoint };
  const receiver = await bench.start(bench.function('ReceiveSendGrid'), environment);
  const counted = await bench.start(bench.function('ReceiveSendGrid'), {
    ...environment,
    AWS_ENDPOINT_URL_DYNAMODB: storage.proxy.endpoint,
  });
  const post = (count: number, ids = '') =>
    sendGridInvocation(
      bounces({ tag: 'hot', count, mails: 1 }).map((event) => ({
        ...event,
        sg_event_id: `${event['sg_event_id']}${ids}`,
      })),
    );
  await accepted(counted, post(HOT_EVENTS));
  const requests = storage.proxy.calls.length;
  const largest = largestItem(storage);
  storage.proxy.calls.length = 0;
  // The same events of mails of their own, with one recipient each: what a row must not be larger than.
  await storage.put(
    storage.tables.SENT_LOG_TABLE,
    Array.from({ length: HOT_EVENTS }, (_, n) => logRow(messageIdOf('one', n), [`recipient-${n}@example.jp`])),
  );
  await accepted(counted, sendGridInvocation(bounces({ tag: 'one', count: HOT_EVENTS })));
  const largestOfOne = largestItem(storage);
  await counted.stop();

  for (let n = 0; n < WARM_UP_POSTS; n++) await accepted(receiver, post(HOT_EVENTS, `w${n}`));
  const tenth: number[] = [];
  const whole: number[] = [];
  for (let run = 0; run < bench.runs; run++) {
    const tenths = Array.from({ length: 5 }, (_, n) => post(HOT_EVENTS / 10, `r${run}t${n}`));
    tenth.push((await accepted(receiver, ...tenths)).wallMs / 5 / (HOT_EVENTS / 10));
    whole.push((await accepted(receiver, post(HOT_EVENTS, `r${run}`))).wallMs / HOT_EVENTS);
  }
  await receiver.stop();
  await storage.close();
  return [
    figure({
      name: 'hot message',
      samples: ratios(whole, tenth),
      unit: 'times the time an event takes in a post of 200, in one of 2,000',
      goal: { atMost: FLAT },
      goalText: `linear (≤ ${FLAT}), no write larger than its event`,
      also: largest <= largestOfOne,
      detail: `${rounded(median(whole))} ms an event, ${requests} requests; the largest row has ${largest} bytes, and ${largestOfOne} where the same events are of mails with one recipient`,
    }),
  ];
}

function largestItem(storage: BenchStorage): number {
  return Math.max(...writtenItems(storage.proxy.calls).map(({ item }) => itemBytes(item)));
}

/** The large post, after its mails were logged. */
async function largePost(storage: BenchStorage, tag: string) {
  await storage.put(
    storage.tables.SENT_LOG_TABLE,
    Array.from({ length: LARGE_POST_EVENTS }, (_, n) => logRow(messageIdOf(tag, n), [`recipient-${n}@example.jp`])),
  );
  return sendGridInvocation(bounces({ tag, count: LARGE_POST_EVENTS }));
}

/** Writes down what the receiver asks for, for the floor to ask for the same. */
async function requestsOf(bench: Bench, storage: BenchStorage, invocation: unknown): Promise<string> {
  const receiver = await bench.start(bench.function('ReceiveSendGrid'), {
    ...storage.tables,
    AWS_ENDPOINT_URL_DYNAMODB: storage.proxy.endpoint,
  });
  storage.proxy.calls.length = 0;
  await accepted(receiver, invocation);
  await receiver.stop();
  const bodies = (action: string) =>
    storage.proxy.calls.filter((call) => call.action === action).map(({ body }) => body);
  const file = join(bench.dir, 'floor-requests.json');
  await writeFile(file, JSON.stringify({ gets: bodies('BatchGetItem'), puts: bodies('BatchWriteItem') }));
  storage.proxy.calls.length = 0;
  return file;
}

async function accepted(side: MeasuredProcess, ...invocations: readonly unknown[]): Promise<Measured> {
  const measured = await side.invoke(...invocations);
  expectAccepted(measured.results);
  return measured;
}
