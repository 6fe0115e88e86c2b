/**
 * Random schedules. The posts of both providers are split, repeated and shuffled, and several are posted at one time. Meanwhile
 * requests to the queue and to storage fail, log rows are written, and recorders take batches from the queue. Each post is sent
 * until it is acknowledged. A seed determines the schedule, but not the order of things that happen at the same time.
 */
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';
import { publishFailures } from '../../lambda/publishing/publish-failures.ts';
import { type Random, randomFrom } from '../fuzz/mutate.ts';
import { FAULTS, type Fault, type Plan, refusesGoodItem } from './fault-proxy.ts';
import { scenario } from './posts.ts';
import { AGAIN, FIRST_TIME, joinLate, type Outcome, playEach, putLogRow, refuse, tryTo } from './recording.ts';
import type { Rig, TestStorage } from './storage.ts';
import { postTo, recordBatch } from './webhooks.ts';

/** All faults except `hang`, which costs a request's whole timeout. The matrix plays it. */
const COMMON_FAULTS = FAULTS.filter((fault) => fault !== 'hang');
const MAX_DELIVERIES = 100;
const PATIENCE_MS = 30_000;

/**
 * Plays a schedule for each seed. Then publish-failures gets the changes by which joined rows became unmatched again.
 *
 * Such changes happen: two recorders get the same message. One of them joins its rows and deletes the message. The other one
 * has found no log row before, writes its unmatched rows later, and fails. The message is not delivered again.
 */
export async function playRandomSchedules(
  seeds: readonly number[],
  rigs: readonly Rig[],
  storage: TestStorage,
  onDone?: (done: number) => void,
): Promise<Outcome[]> {
  const outcomes = await playEach(seeds, rigs, (seed, rig) => playRandom(seed, rig, storage), onDone);
  const undone = (await storage.bounceChanges()).filter(
    ({ oldRow, row }) => oldRow?.['matched'] === true && row?.['matched'] === false,
  );
  await publishFailures(undone, { store: storage.store, bus: undefined, stackName: 'Todoke' });
  return outcomes;
}

async function playRandom(seed: number, rig: Rig, { store }: TestStorage): Promise<Outcome> {
  const random = randomFrom(seed);
  const chance = (probability: number) => random() < probability;
  const post = scenario(chance(0.5) ? 'sendgrid' : 'customers-mail-cloud');
  const failing = chance(0.5) ? rig.impatient : rig.patient;
  rig.proxy.plan = randomFaults(random, random() * 0.3);
  rig.queue.proxy.plan = randomFaults(random, random() * 0.3);
  const client = chance(0.5) ? rig.queue.impatient : rig.queue.patient;
  const times = [FIRST_TIME, AGAIN];

  const all = shuffled([...post.received, ...post.received.filter(() => chance(0.2))], random);
  const deliveries = splits(all, random).map((received, n) => async () => {
    const receivedAtMs = times[n % 2] ?? FIRST_TIME;
    const own = { provider: post.provider, received };
    const status = await postTo(rig.queue, own, { client, receivedAtMs, queueWithinMs: PATIENCE_MS });
    if (status !== 200) throw new Error(`The receiver answered ${status}`);
  });
  // Two recordings at one time may get the same messages.
  const recordings = deliveries.map(() => () => recordBatch(rig.queue, failing, PATIENCE_MS));
  const logged = post.mails.filter((mail) => mail.logged !== 'never' && chance(0.8));
  const logs = logged.map((mail) => async () => {
    await putLogRow(mail.row, store);
    // The stream delivers each record at least once.
    const joins = chance(0.3) ? 2 : 1;
    for (let n = 0; n < joins; n++) await untilDone(() => joinLate(mail, failing));
  });
  const refusals = post.refusals.map((refusal) => () => refuse(refusal, store));
  const again = deliveries.filter(() => chance(0.2));
  const work = shuffled([...deliveries, ...again, ...recordings, ...logs, ...refusals], random);
  await forEachConcurrently(work, untilDone, 1 + Math.floor(random() * 6));
  await untilDone(async () => {
    await recordBatch(rig.queue, failing, PATIENCE_MS);
    if (rig.queue.size() > 0) throw new Error('The queue is not empty');
  });

  return {
    label: `random schedule ${seed}`,
    tag: post.tag,
    events: post.events.length,
    facts: {
      events: post.events,
      logRows: logged.map(({ row }) => row),
      refusals: post.refusals,
      receivedAtMs: times,
    },
  };
}

async function untilDone(work: () => Promise<unknown>): Promise<void> {
  for (let n = 0; n < MAX_DELIVERIES; n++) if (await tryTo(work)) return;
  throw new Error(`Cannot finish a schedule: something failed ${MAX_DELIVERIES} times`);
}

function randomFaults(random: Random, probability: number): Plan {
  return ({ action }) => {
    if (random() >= probability) return undefined;
    const fault: Fault | undefined = COMMON_FAULTS[Math.floor(random() * COMMON_FAULTS.length)];
    return fault === undefined || refusesGoodItem(fault, action) ? undefined : fault;
  };
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [result[i], result[j]];
    if (a !== undefined && b !== undefined) [result[i], result[j]] = [b, a];
  }
  return result;
}

function splits<Item>(events: readonly Item[], random: Random): Item[][] {
  const size = 1 + Math.floor(random() * events.length);
  const posts: Item[][] = [];
  for (let start = 0; start < events.length; start += size) posts.push(events.slice(start, start + size));
  return posts;
}
