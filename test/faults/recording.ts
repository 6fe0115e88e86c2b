/**
 * The matrix of the receivers, the recorder and the late join: every call of a delivery fails in every way. A post or a
 * message that was not acknowledged is delivered again. At the end the tables must hold the rows for all events.
 */
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';
import type { MailEvent } from '../../lambda/mail/event.ts';
import type { EventStore } from '../../lambda/recording/event-store.ts';
import { joinLateEvents } from '../../lambda/recording/late-join.ts';
import { recordEvents } from '../../lambda/recording/record-events.ts';
import { type Facts, isAsItMustBe, type Verdict, verdictOf } from './expected-rows.ts';
import {
  FAULTS,
  type Fault,
  type FaultProxy,
  type Plan,
  type Rewrite,
  refusesGoodItem,
  type StorageCall,
} from './fault-proxy.ts';
import { RETENTION_DAYS, type RefusalRows, type Scenario, SENT_AT, scenario, type TestMail, tagOf } from './posts.ts';
import type { Rig, StoredRow, TestStorage } from './storage.ts';
import { postTo, recordAgain, recordBatch } from './webhooks.ts';

/** The times of the first and the repeated posts, in Unix milliseconds. */
export const FIRST_TIME = (SENT_AT + 60) * 1000;
export const AGAIN = FIRST_TIME + 360_000;
/** Longer than any delivery that can finish. */
const PATIENCE_MS = 30_000;
/** The time limit of a delivery that storage never lets finish. */
const DEADLINE_MS = 1_000;

/** Which calls of a delivery fail, and how: `rounds` calls, from the k-th on. */
export interface Failing {
  readonly fault: Fault;
  /** Counts from 1. */
  readonly k: number;
  readonly rounds: number;
}

/** Whose calls fail: a receiver's, the recorder's (with a provider's posts), or those of join-late-events. */
export const WAYS = [
  'receive-sendgrid',
  'receive-customers-mail-cloud',
  'record-sendgrid',
  'record-customers-mail-cloud',
  'late-join',
] as const;
export type Way = (typeof WAYS)[number];

export interface Case {
  readonly way: Way;
  readonly failing: Failing;
  /** If true, clients try a request three times, and the post or message is delivered again after it was acknowledged. */
  readonly patient: boolean;
}

export interface Outcome {
  readonly label: string;
  readonly tag: string;
  readonly facts: Facts;
  readonly events: number;
}

/** @param calls how many calls a delivery makes when nothing fails; two more are tried */
export function allCases(way: Way, calls: number): Case[] {
  const faults = way.startsWith('record') ? FAULTS : FAULTS_OF_ONE;
  const ks = Array.from({ length: calls + 2 }, (_, n) => n + 1);
  return ks.flatMap((k) =>
    faults
      .flatMap((fault) => roundsOf(fault).map((rounds) => ({ fault, k, rounds })))
      .flatMap((failing) => [false, true].map((patient) => ({ way, failing, patient }))),
  );
}

/** The faults that can happen to SendMessage, Query and UpdateItem. They are no batches, and these queries are consistent. */
const FAULTS_OF_ONE = FAULTS.filter((fault) => fault !== 'unprocessed' && fault !== 'stale read');

/**
 * Plays each fault once for each of its durations. The calls take turns, and so do the two kinds of client.
 *
 * @param half if given, only half of the faults: two ways share their code, and each plays one half
 */
export function sampleOf(cases: readonly Case[], half?: 'even' | 'odd'): Case[] {
  const kindOf = ({ failing: { fault, rounds } }: Case) => `${fault} ${rounds}`;
  const kinds = [...new Set(cases.map(kindOf))].filter(
    (_, n) => half === undefined || (half === 'odd') === (n % 2 === 1),
  );
  return kinds.flatMap((kind, n) => {
    // Only the first call is a read that can be stale.
    const ofKind = cases.filter(
      (kase) => kindOf(kase) === kind && (kase.failing.fault !== 'stale read' || kase.failing.k === 1),
    );
    return ofKind[n % ofKind.length] ?? [];
  });
}

/** How many calls in a row fail. An endless fault is what a process sees if it is killed between two calls. */
function roundsOf(fault: Fault): number[] {
  if (fault === 'unprocessed') return [1, 3, Number.POSITIVE_INFINITY];
  return fault === 'reset' || fault === 'error 500' ? [1, Number.POSITIVE_INFINITY] : [1];
}

function labelOf({ way, failing: { fault, k, rounds }, patient }: Case): string {
  const lasts = rounds === 1 ? '' : rounds === Number.POSITIVE_INFINITY ? ' and ever after' : ` for ${rounds} rounds`;
  return `${way}, ${patient ? 'three attempts' : 'one attempt'}, ${fault} at call ${k}${lasts}`;
}

const PROVIDER = {
  'receive-sendgrid': 'sendgrid',
  'receive-customers-mail-cloud': 'customers-mail-cloud',
  'record-sendgrid': 'sendgrid',
  'record-customers-mail-cloud': 'customers-mail-cloud',
  'late-join': 'sendgrid',
} as const;

/** Plays a case to its end. judge() checks what it leaves in the tables. */
export async function play(kase: Case, rig: Rig, storage: TestStorage): Promise<Outcome> {
  const post = scenario(PROVIDER[kase.way]);
  const store = kase.patient ? rig.patient : rig.impatient;
  const plan = failingPlan(kase.failing);
  const world = worldOf(post, rig, storage);
  await world.log('before');

  if (kase.way.startsWith('receive')) rig.queue.proxy.plan = plan;
  const receivedAtMs = await receive(kase, post, rig);
  rig.queue.proxy.plan = () => undefined;

  world.plan(kase.way.startsWith('record') ? plan : () => undefined);
  await recordAll(kase, store, rig, world);

  await world.refuse();
  await world.write('later');
  world.plan(kase.way === 'late-join' ? plan : () => undefined);
  for (const mail of post.mails.filter(({ logged }) => logged === 'later')) {
    const join = () => untilAcknowledged(world, (again) => joinLate(mail, again ?? store));
    await join();
    if (kase.patient) await join();
  }
  return {
    label: labelOf(kase),
    tag: post.tag,
    events: post.events.length,
    facts: {
      events: post.events,
      logRows: post.mails.filter(({ logged }) => logged !== 'never').map(({ row }) => row),
      refusals: post.refusals,
      receivedAtMs,
    },
  };
}

const isForEver = ({ failing }: Case) => failing.rounds === Number.POSITIVE_INFINITY;

/**
 * Posts until the receiver has acknowledged the post, and once more if the case asks for it.
 *
 * @returns the times of the posts whose copies may be in the queue
 */
async function receive(kase: Case, post: Scenario, { queue }: Rig): Promise<number[]> {
  const queueWithinMs = isForEver(kase) ? DEADLINE_MS : PATIENCE_MS;
  const client = kase.patient ? queue.patient : queue.impatient;
  const status = await postTo(queue, post, { client, receivedAtMs: FIRST_TIME, queueWithinMs });
  if (status === 200 && !kase.patient) return [FIRST_TIME];
  if (status !== 200 && status !== 503) throw new Error(`Cannot go on: the receiver answered ${status}`);
  await queue.proxy.settled();
  queue.proxy.plan = () => undefined;
  const again = await postTo(queue, post, { client, receivedAtMs: AGAIN, queueWithinMs: PATIENCE_MS });
  if (again !== 200) throw new Error(`Cannot go on: the receiver answered ${again} though nothing fails`);
  return [FIRST_TIME, AGAIN];
}

/** Invokes the recorder until the queue is empty. Nothing fails after the first invocation. */
async function recordAll(kase: Case, store: EventStore, rig: Rig, world: World): Promise<void> {
  const { queue } = rig;
  const forEver = isForEver(kase) && kase.way.startsWith('record');
  // Half of the time is for the attempts to record all messages together. Some of it is reserved for the report.
  const firstMs = forEver ? 2 * DEADLINE_MS + 2_000 : PATIENCE_MS;
  const messages = kase.patient ? await queue.take() : [];
  await recordBatch(queue, store, firstMs);
  await world.recover();
  // The queue delivers at least once: these messages were already deleted.
  if (messages.length > 0) await recordAgain(messages, world.healthy);
  for (let n = 0; queue.size() > 0; n++) {
    if (n === MAX_BATCHES) throw new Error(`Cannot empty the queue: ${queue.size()} messages are left`);
    await recordBatch(queue, world.healthy, PATIENCE_MS);
  }
}

const MAX_BATCHES = 50;

export function record(
  events: readonly MailEvent[],
  receivedAtMs: number,
  store: EventStore,
  signal = AbortSignal.timeout(PATIENCE_MS),
) {
  return recordEvents([{ events, receivedAtMs }], RETENTION_DAYS, store, signal);
}

/** What the stream does for a new log row. */
export function joinLate({ messageId, row }: Pick<TestMail, 'messageId' | 'row'>, store: EventStore): Promise<void> {
  return joinLateEvents({ eventId: messageId, writtenAtMs: SENT_AT * 1000, row }, RETENTION_DAYS, store);
}

/** The first try has the plan's faults. The second, if needed, has none and gets the store `again`. */
async function untilAcknowledged(world: World, work: (again?: EventStore) => Promise<unknown>): Promise<void> {
  if (await tryTo(() => work())) return;
  await world.recover();
  await work(world.healthy);
}

export async function tryTo(work: () => Promise<unknown>): Promise<boolean> {
  return work().then(
    () => true,
    () => false,
  );
}

/** The surroundings of a delivery. */
type World = ReturnType<typeof worldOf>;

function worldOf(post: Scenario, rig: Rig, { store }: TestStorage) {
  const { proxy } = rig;
  const write = (logged: TestMail['logged']) =>
    forEachConcurrently(
      post.mails.filter((mail) => mail.logged === logged),
      ({ row }) => putLogRow(row, store),
    );
  const log = async (logged: TestMail['logged']) => {
    await write(logged);
    await forEachConcurrently(
      post.mails.filter((mail) => mail.logged === logged),
      (mail) => joinLate(mail, store),
    );
  };
  let meanwhile: Promise<void> | undefined;
  return {
    healthy: rig.patient,
    /** `write` writes log rows. `log` also joins them with the events that are there. */
    write,
    log,
    async refuse() {
      await forEachConcurrently(post.refusals, (refusal) => refuse(refusal, store));
    },
    /** Applies from the next call on. Before the first write, the mails are logged whose late join must find nothing. */
    plan(plan: Plan) {
      proxy.plan = async (call) => {
        if (call.action === 'BatchWriteItem') {
          meanwhile ??= log('meanwhile');
          await meanwhile;
        }
        return plan(call);
      };
    },
    /** Ends the faults. Every call that was given up has then taken effect, or never will. */
    async recover() {
      await proxy.settled();
      this.plan(() => undefined);
    },
  };
}

export async function putLogRow(row: Readonly<Record<string, unknown>>, store: EventStore): Promise<void> {
  await store.client.send(new PutCommand({ TableName: store.sentLogTable, Item: row }));
}

/** Stores what the sender was told about a recipient at the handover. */
export async function refuse({ story, bounce }: RefusalRows, store: EventStore): Promise<void> {
  await putLogRow(story, store);
  if (bounce) await store.client.send(new PutCommand({ TableName: store.bounceTable, Item: bounce }));
}

/** Counts calls from the first one that it is asked about. */
function failingPlan({ fault, k, rounds }: Failing): Plan {
  let calls = 0;
  return ({ action }) => {
    calls++;
    return calls >= k && calls < k + rounds && !refusesGoodItem(fault, action) ? fault : undefined;
  };
}

/** Makes each page of a query small, so that every story has several pages. */
export const smallPages: Rewrite = ({ action, body }) => (action === 'Query' ? { ...body, Limit: 3 } : undefined);

/** The number of calls of a delivery when nothing fails: calls to the queue, or to storage. */
export async function callsOf(way: Way, rig: Rig, storage: TestStorage): Promise<number> {
  const never: Failing = { fault: 'reset', k: Number.POSITIVE_INFINITY, rounds: 1 };
  rig.proxy.calls.length = 0;
  rig.queue.proxy.calls.length = 0;
  await play({ way, failing: never, patient: false }, rig, storage);
  if (way.startsWith('receive')) return rig.queue.proxy.calls.length;
  const isOfLateJoin = ({ action }: StorageCall) => action === 'UpdateItem' || action === 'Query';
  return rig.proxy.calls.filter((call) => isOfLateJoin(call) === (way === 'late-join')).length;
}

/** Compares each outcome with the tables. */
export function judge(outcomes: readonly Outcome[], rows: readonly StoredRow[]): (Outcome & { verdict: Verdict })[] {
  const byTag = new Map<string, StoredRow[]>();
  for (const { table, row: stored } of rows) {
    const tag = tagOf(stored);
    // Whether a row was joined a second time makes no difference.
    const { rejoined: _, ...row } = stored;
    byTag.set(tag, [...(byTag.get(tag) ?? []), { table, row }]);
  }
  return outcomes.map((outcome) => ({ ...outcome, verdict: verdictOf(outcome.facts, byTag.get(outcome.tag) ?? []) }));
}

/** One text for each outcome that is wrong. */
export function troubles(judged: readonly (Outcome & { verdict: Verdict })[]): string[] {
  return judged
    .filter(({ verdict }) => !isAsItMustBe(verdict))
    .map(({ label, verdict }) => `${label}: ${JSON.stringify(verdict, undefined, 2)}`);
}

/** Plays all items, on several rigs at the same time. */
export async function playEach<Item, OfRig extends { readonly proxy: FaultProxy }, Played>(
  items: readonly Item[],
  rigs: readonly OfRig[],
  playOne: (item: Item, rig: OfRig) => Promise<Played>,
  onDone: (done: number) => void = () => undefined,
): Promise<Played[]> {
  const outcomes: Played[] = [];
  const waiting = items.values();
  await Promise.all(
    rigs.map(async (rig) => {
      for (const item of waiting) {
        outcomes.push(await playOne(item, rig));
        rig.proxy.calls.length = 0;
        onDone(outcomes.length);
      }
    }),
  );
  return outcomes;
}
