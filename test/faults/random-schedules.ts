/**
 * Random schedules: the posts of both providers split, repeated and shuffled, delivered several at one time while
 * requests fail and log rows are written, each delivered until it is acknowledged. One seed makes one schedule; in which
 * order the machine does what goes on at one time is not in it.
 */
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';
import type { MailEvent } from '../../lambda/mail/event.ts';
import { type Random, randomFrom } from '../fuzz/mutate.ts';
import { FAULTS, type Fault, type Plan, refusesGoodItem } from './fault-proxy.ts';
import { scenario } from './posts.ts';
import { AGAIN, FIRST_TIME, joinLate, type Outcome, putLogRow, record, refuse, tryTo } from './recording.ts';
import type { Lane, TestStorage } from './storage.ts';

/** A hang costs its request's whole timeout: it has its share in the matrix. */
const COMMON_FAULTS = FAULTS.filter((fault) => fault !== 'hang');
const MAX_DELIVERIES = 100;

export async function playRandom(seed: number, lane: Lane, { store }: TestStorage): Promise<Outcome> {
  const random = randomFrom(seed);
  const chance = (probability: number) => random() < probability;
  const post = scenario(chance(0.5) ? 'sendgrid' : 'customers-mail-cloud');
  const failing = chance(0.5) ? lane.impatient : lane.patient;
  lane.proxy.plan = randomFaults(random, random() * 0.3);
  const times = [FIRST_TIME, AGAIN];

  const deliveries = splits(shuffled([...post.events, ...post.events.filter(() => chance(0.2))], random), random).map(
    (events, n) => () => record(events, times[n % 2] ?? FIRST_TIME, failing),
  );
  const logged = post.mails.filter((mail) => mail.logged !== 'never' && chance(0.8));
  const logs = logged.map((mail) => async () => {
    await putLogRow(mail.row, store);
    // The stream delivers at least once.
    const joins = chance(0.3) ? 2 : 1;
    for (let n = 0; n < joins; n++) await untilDone(() => joinLate(mail, failing));
  });
  const refusals = post.refusals.map((refusal) => () => refuse(refusal, store));
  const work = shuffled([...deliveries, ...deliveries.filter(() => chance(0.2)), ...logs, ...refusals], random);
  await forEachConcurrently(work, untilDone, 1 + Math.floor(random() * 6));

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

function splits(events: readonly MailEvent[], random: Random): MailEvent[][] {
  const size = 1 + Math.floor(random() * events.length);
  const posts: MailEvent[][] = [];
  for (let start = 0; start < events.length; start += size) posts.push(events.slice(start, start + size));
  return posts;
}
