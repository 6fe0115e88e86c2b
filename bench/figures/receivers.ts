/** Figures of the receivers: bytes, load time, and time from the post to the answer. */
import { type Bench, baseline } from '../support/bench.ts';
import { bundleContents } from '../support/bundles.ts';
import { type Figure, figure, median, ratios, rounded } from '../support/figure.ts';
import { bounces, LARGE_POST_EVENTS, postInvocation, queueInvocation } from '../support/posts.ts';

const RECEIVERS = ['receive-sendgrid', 'receive-customers-mail-cloud'] as const;

/** The largest sizes that meet the goal, in bytes. The two SDK clients alone take 197 KB of a receiver's bundle. */
export const BUNDLE_GOALS = {
  'receive-sendgrid': 235 * 1024,
  'receive-customers-mail-cloud': 235 * 1024,
  'record-events': 275 * 1024,
  'send-mail': 880 * 1024,
  'publish-failures': 300 * 1024,
} as const;

/** The files of DynamoDB clients in a bundle. */
export function dynamoDbFiles(files: readonly string[]): string[] {
  return files.filter((file) => /@aws-sdk\/(?:client|lib)-dynamodb\//.test(file));
}

export async function bundles(): Promise<Figure[]> {
  const contents = bundleContents(Object.keys(BUNDLE_GOALS));
  const made = Object.entries(BUNDLE_GOALS).map(([name, goal]) => {
    const { bytes, files } = contents.get(name) ?? { bytes: Number.NaN, files: [] };
    return { name, goal, bytes, files };
  });
  const receivers = made.filter(({ name }) => RECEIVERS.some((receiver) => receiver === name));
  return [
    figure({
      name: 'bundle',
      samples: [Math.max(...receivers.map(({ bytes }) => bytes)) / 1024],
      unit: 'KB, the larger receiver',
      goal: { atMost: 235 },
      goalText: 'receivers ≤ 235 without a DynamoDB client, recorder ≤ 275, sender ≤ 880, publisher ≤ 300',
      also:
        made.every(({ bytes, goal }) => bytes <= goal) &&
        receivers.every(({ files }) => dynamoDbFiles(files).length === 0),
      detail: made.map(({ name, bytes }) => `${name} ${(bytes / 1024).toFixed(1)} KB`).join(', '),
    }),
  ];
}

/** Processes of each kind in one run. A single one says little. */
const PROCESSES_PER_RUN = 8;

/** Loads each receiver, and its SDK clients alone, in new processes. CPU time, because other programs do not lengthen it. */
export async function loadTime(bench: Bench): Promise<Figure[]> {
  const entries = [...RECEIVERS, baseline('sdk-of-receivers')];
  const times = entries.map((): number[] => []);
  for (let n = 0; n < bench.runs * PROCESSES_PER_RUN; n++) {
    for (const [side, entry] of entries.entries()) {
      const started = await bench.start(entry);
      await started.stop();
      times[side]?.push(started.loaded.cpuMs);
    }
  }
  const [sdk = []] = times.slice(-1);
  const compared = RECEIVERS.map((name, side) => ({
    name,
    ms: times[side] ?? [],
    ratio: ratios(times[side] ?? [], sdk),
  }));
  const slower = compared.reduce((a, b) => (median(a.ratio) > median(b.ratio) ? a : b));
  // One sample per run, because minimum and maximum of single processes say nothing.
  const samples = Array.from({ length: bench.runs }, (_, run) =>
    median(slower.ratio.slice(run * PROCESSES_PER_RUN, (run + 1) * PROCESSES_PER_RUN)),
  );
  const detail = compared.map(
    ({ name, ms, ratio }) => `${name} ${rounded(median(ms))} ms (${rounded(median(ratio))} times)`,
  );
  return [
    figure({
      name: 'load time',
      samples,
      unit: 'times the load time of the two SDK clients, the slower receiver',
      goal: { atMost: 1.15 },
      detail: `CPU time: ${detail.join(', ')}, the clients alone ${rounded(median(sdk))} ms`,
    }),
  ];
}

const SIZES = [10, 100, LARGE_POST_EVENTS];
const POSTS_PER_RUN = 20;

/** From the request to the answer: verify, parse, compress, queue. The queue answers at once. */
export async function receiving(bench: Bench): Promise<Figure[]> {
  const receiver = await bench.start('receive-sendgrid');
  const post = (count: number, n: number) => postInvocation(bounces({ tag: `receiving ${count} ${n}`, count }));
  await receiver.invoke(...Array.from({ length: 50 }, (_, n) => post(100, n)));
  const sizes: { count: number; ms: number[]; cpuMs: number[]; kb: number }[] = [];
  for (const count of SIZES) {
    const [ms, cpuMs]: [number[], number[]] = [[], []];
    for (let run = 0; run < bench.runs; run++) {
      const measured = await receiver.invoke(...Array.from({ length: POSTS_PER_RUN }, (_, n) => post(count, n)));
      ms.push(measured.wallMs / POSTS_PER_RUN);
      cpuMs.push(measured.cpuMs / POSTS_PER_RUN);
    }
    const { Records } = queueInvocation('sendgrid', bounces({ tag: 'message', count }));
    const bytes = Records.reduce((sum, { body }) => sum + body.length, 0);
    sizes.push({ count, ms, cpuMs, kb: bytes / 1024 });
  }
  await receiver.stop();
  const detail = sizes.map(
    ({ count, ms, cpuMs, kb }) =>
      `${count.toLocaleString('en-US')} events: ${rounded(median(ms))} ms (CPU ${rounded(median(cpuMs))} ms), a message of ${rounded(kb)} KB`,
  );
  return [
    figure({
      name: 'receiving',
      samples: sizes.find(({ count }) => count === LARGE_POST_EVENTS)?.ms ?? [],
      unit: `ms from a post of ${LARGE_POST_EVENTS.toLocaleString('en-US')} events to the answer, queued`,
      detail: detail.join('; '),
    }),
  ];
}
