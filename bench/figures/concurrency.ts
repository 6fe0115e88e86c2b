import type { Bench } from '../support/bench.ts';
import { type Figure, figure, median, ratios } from '../support/figure.ts';
import { bounces, SENDGRID_PUBLIC_KEY, sendGridInvocation } from '../support/posts.ts';
import { expectAccepted } from './requests.ts';

const POSTS = 64;
const EVENTS = 100;
/** What the sequential baseline is given in one run: enough to know how many events it takes in a second. */
const SEQUENTIAL_EVENTS = 500;

/** Many posts at one time, each to a process of its own as in Lambda, against the sequential baseline's throughput. */
export async function concurrency(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const environment = { ...storage.tables, AWS_ENDPOINT_URL_DYNAMODB: storage.endpoint, SENDGRID_PUBLIC_KEY };
  const sequential = await bench.start(await bench.bundled('baselines/sequential'), environment);
  const receivers = await Promise.all(
    Array.from({ length: POSTS }, () => bench.start(bench.function('ReceiveSendGrid'), environment)),
  );
  // Each has taken a post before, and none of them at the same time.
  for (const receiver of receivers) await receiver.invoke(sendGridInvocation(bounces({ tag: 'warm', count: EVENTS })));
  await sequential.invoke(sendGridInvocation(bounces({ tag: 'warm', count: EVENTS })));

  const ours: number[] = [];
  const theirs: number[] = [];
  for (let run = 0; run < bench.runs; run++) {
    const posts = receivers.map((_, n) => sendGridInvocation(bounces({ tag: `c${run}p${n}x`, count: EVENTS })));
    const startedAt = performance.now();
    const measured = await Promise.all(receivers.map((receiver, n) => receiver.invoke(posts[n])));
    ours.push((POSTS * EVENTS * 1000) / (performance.now() - startedAt));
    for (const { results } of measured) expectAccepted(results);
    const events = bounces({ tag: `q${run}`, count: SEQUENTIAL_EVENTS });
    const { wallMs, results } = await sequential.invoke(sendGridInvocation(events));
    expectAccepted(results);
    theirs.push((SEQUENTIAL_EVENTS * 1000) / wallMs);
  }
  await Promise.all([sequential, ...receivers].map((started) => started.stop()));
  await storage.close();
  return [
    figure({
      name: 'concurrency',
      samples: ratios(ours, theirs),
      unit: "times the sequential baseline's throughput",
      goal: { atLeast: 10 },
      goalText: '≥ 10, no error',
      detail: `${POSTS} posts of ${EVENTS} bounces at one time, each to a process of its own: all answered 200, ${Math.round(median(ours))} events a second; sequential ${Math.round(median(theirs))}`,
    }),
  ];
}
