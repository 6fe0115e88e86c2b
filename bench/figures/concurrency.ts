/** Figure: many posts at one time. */
import type { Bench } from '../support/bench.ts';
import { DISTANCE_MS, startDistance } from '../support/distance.ts';
import { type Figure, figure, median, ratios, rounded } from '../support/figure.ts';
import { expectAccepted, isAccepted } from '../support/measured-process.ts';
import { bounces, SENDGRID_PUBLIC_KEY, sendGridInvocation } from '../support/posts.ts';
import type { BenchStorage } from '../support/storage.ts';

const POSTS = 64;
/** Fewer where requests take longer: the engine, not the distance, would decide otherwise. */
const POSTS_FROM_AFAR = 16;
const EVENTS = 100;
/** What the sequential baseline is given in one run: enough to know how many events it takes in a second. */
const SEQUENTIAL_EVENTS = 300;

/** Many posts at one time, each to a process of its own as in Lambda, against the sequential baseline's throughput. */
export async function concurrency(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const near = await throughput(bench, storage, storage.endpoint, POSTS);
  const distance = await startDistance(storage.endpoint, bench.cleanup);
  const far = await throughput(bench, storage, distance, POSTS_FROM_AFAR);
  await storage.close();
  const perSecond = (samples: readonly number[]) => Math.round(median(samples));
  return [
    figure({
      name: 'concurrency',
      samples: ratios(near.ours, near.sequential),
      unit: "times the sequential baseline's throughput",
      goal: { atLeast: 10 },
      goalText: '≥ 10, no error',
      also: near.refused + far.refused === 0,
      detail: `${POSTS} posts of ${EVENTS} bounces at one time, each to a process of its own: ${near.refused === 0 ? 'all answered 200' : `${near.refused} of ${POSTS * bench.runs} answered 503`}, ${perSecond(near.ours)} events a second; sequential ${perSecond(near.sequential)}; the engine alone computed for ${rounded(median(near.engineMs) / (POSTS * EVENTS))} ms an event. Where a request takes ${DISTANCE_MS} ms more, as to DynamoDB, and ${POSTS_FROM_AFAR} posts come at one time: ${perSecond(far.ours)}, sequential ${perSecond(far.sequential)}, ${rounded(median(ratios(far.ours, far.sequential)))} times`,
    }),
  ];
}

/** Events a second of both sides, in turn, and the CPU milliseconds that the engine took for ours. */
async function throughput(bench: Bench, storage: BenchStorage, endpoint: string, atOneTime: number) {
  const environment = { ...storage.tables, AWS_ENDPOINT_URL_DYNAMODB: endpoint, SENDGRID_PUBLIC_KEY };
  const baseline = await bench.start(await bench.bundled('baselines/sequential'), environment);
  const receivers = await Promise.all(
    Array.from({ length: atOneTime }, () => bench.start(bench.function('ReceiveSendGrid'), environment)),
  );
  const post = (name: string, count: number) => sendGridInvocation(bounces({ tag: `${atOneTime}${name}`, count }));
  // Each has taken a post before, and none of them at the same time.
  for (const receiver of receivers) await receiver.invoke(post('warm', EVENTS));
  await baseline.invoke(post('warm', EVENTS));

  const [ours, sequential, engineMs]: [number[], number[], number[]] = [[], [], []];
  let refused = 0;
  for (let run = 0; run < bench.runs; run++) {
    const posts = receivers.map((_, n) => post(`c${run}p${n}x`, EVENTS));
    const spent = storage.engineCpu();
    const startedAtMs = performance.now();
    const measured = await Promise.all(receivers.map((receiver, n) => receiver.invoke(posts[n])));
    const accepted = measured.filter(({ results }) => isAccepted(results[0])).length;
    ours.push((accepted * EVENTS * 1000) / (performance.now() - startedAtMs));
    engineMs.push(spent());
    refused += atOneTime - accepted;
    const { wallMs, results } = await baseline.invoke(post(`q${run}`, SEQUENTIAL_EVENTS));
    expectAccepted(results);
    sequential.push((SEQUENTIAL_EVENTS * 1000) / wallMs);
  }
  await Promise.all([baseline, ...receivers].map((started) => started.stop()));
  return { ours, sequential, engineMs, refused };
}
