/**
 * The matrix of the receivers, the spill queue's consumer and the late join: every call of a delivery fails in every
 * way, what was not acknowledged comes again, and at the end there must be the rows that the events ask for.
 */
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { forEachConcurrently } from '../../lambda/aws/for-each-concurrently.ts';
import type { MailEvent } from '../../lambda/mail/event.ts';
import { normalizeCustomersMailCloud } from '../../lambda/providers/customers-mail-cloud/events.ts';
import type { EventStore } from '../../lambda/recording/event-store.ts';
import { joinLateEvents } from '../../lambda/recording/late-join.ts';
import { recordEvents } from '../../lambda/recording/record-events.ts';
import { readSpillMessage, spillMessages } from '../../lambda/webhooks/event-queue.ts';
import { type Facts, isAsItMustBe, type Verdict, verdictOf } from './expected-rows.ts';
import { FAULTS, type Fault, type FaultProxy, type Plan, type Rewrite, refusesGoodItem } from './fault-proxy.ts';
import {
  RETENTION_DAYS,
  type RefusalRows,
  type Scenario,
  SENT_AT,
  scenario,
  type TestMail,
  TIME_ZONE,
  tagOf,
} from './posts.ts';
import type { Lane, StoredRow, TestStorage } from './storage.ts';

/** When posts come, for the first time and again; Unix milliseconds. */
export const FIRST_TIME = (SENT_AT + 60) * 1000;
export const AGAIN = FIRST_TIME + 360_000;
/** More than any delivery takes that comes to an end. */
const PATIENCE_MS = 30_000;
/** For a delivery that storage never lets come to an end. */
const DEADLINE_MS = 1_000;

/** Which calls of a delivery fail, and how: the k-th, and those that follow it. */
export interface Failing {
  readonly fault: Fault;
  /** From 1. */
  readonly k: number;
  readonly rounds: number;
}

/** Who records: a receiver, record-spilled-posts after it, or join-late-events. */
export const WAYS = ['receive-sendgrid', 'receive-customers-mail-cloud', 'record-spilled-posts', 'late-join'] as const;
export type Way = (typeof WAYS)[number];

export interface Case {
  readonly way: Way;
  readonly failing: Failing;
  /** Patient clients try a request three times, and their post is sent again though it was acknowledged. */
  readonly patient: boolean;
}

export interface Outcome {
  readonly label: string;
  readonly tag: string;
  readonly facts: Facts;
  readonly events: number;
}

/** How many calls a delivery makes in which nothing fails is found out by the caller; two more are tried. */
export function allCases(way: Way, calls: number): Case[] {
  const ks = Array.from({ length: calls + 2 }, (_, n) => n + 1);
  return ks.flatMap((k) =>
    FAULTS.flatMap((fault) => roundsOf(fault).map((rounds) => ({ fault, k, rounds }))).flatMap((failing) =>
      [false, true].map((patient) => ({ way, failing, patient })),
    ),
  );
}

/** Every fault at every call, with one kind of client each; or, thinned out, at every so many-th. */
export function sampleOf(cases: readonly Case[], everyNth = 1): Case[] {
  return cases.filter((_, n) => n % 2 === Math.floor(n / 2) % 2 && Math.floor(n / 2) % everyNth === 0);
}

/** For ever is what it is when the process is killed between two calls. */
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
  'record-spilled-posts': 'customers-mail-cloud',
  'late-join': 'sendgrid',
} as const;

/** Plays a case to its end. What it leaves in the tables is judged by judge(). */
export async function play(kase: Case, lane: Lane, storage: TestStorage): Promise<Outcome> {
  const post = scenario(PROVIDER[kase.way]);
  const store = kase.patient ? lane.patient : lane.impatient;
  const world = worldOf(post, lane, storage);
  await world.log('before');
  world.plan(kase.way === 'late-join' ? () => undefined : failingPlan(kase.failing));
  const receivedAtMs = await deliver(kase, post, store, world);

  await world.refuse();
  await world.write('later');
  world.plan(kase.way === 'late-join' ? failingPlan(kase.failing) : () => undefined);
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
      receivedAtMs: [receivedAtMs],
    },
  };
}

/** @returns when the post came whose rows are in the tables now */
async function deliver(kase: Case, post: Scenario, store: EventStore, world: World): Promise<number> {
  const deadlineMs = kase.failing.rounds === Number.POSITIVE_INFINITY ? DEADLINE_MS : PATIENCE_MS;
  if (kase.way === 'record-spilled-posts') {
    const messages = spillMessages({ receivedAtMs: FIRST_TIME, entries: [...post.entries] }, SMALL_MESSAGE_BYTES);
    for (const message of messages) {
      const consume = () =>
        untilAcknowledged(world, (again) =>
          recordSpilled(message, again ?? store, AbortSignal.timeout(again ? PATIENCE_MS : deadlineMs)),
        );
      await consume();
      if (kase.patient) await consume();
    }
    return FIRST_TIME;
  }
  const acknowledged = await tryTo(() => record(post.events, FIRST_TIME, store, AbortSignal.timeout(deadlineMs)));
  if (acknowledged && !kase.patient) return FIRST_TIME;
  await world.recover();
  await record(post.events, AGAIN, world.healthy);
  return AGAIN;
}

/** So small that a post needs several. */
const SMALL_MESSAGE_BYTES = 900;

export function record(
  events: readonly MailEvent[],
  receivedAtMs: number,
  store: EventStore,
  signal = AbortSignal.timeout(PATIENCE_MS),
) {
  return recordEvents(events, { receivedAtMs, retentionDays: RETENTION_DAYS }, store, signal);
}

export function recordSpilled(message: string, store: EventStore, signal: AbortSignal) {
  const { receivedAtMs, entries } = readSpillMessage(message);
  const events = entries.map((entry) => normalizeCustomersMailCloud(entry, TIME_ZONE));
  return record(events, receivedAtMs, store, signal);
}

/** What the stream brings about when a log row is new. */
export function joinLate({ messageId, row }: Pick<TestMail, 'messageId' | 'row'>, store: EventStore): Promise<void> {
  return joinLateEvents({ eventId: messageId, writtenAtMs: SENT_AT * 1000, row }, RETENTION_DAYS, store);
}

/** The first try is with the faults of the plan; the second, where there must be one, without, in the store that it is given. */
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

/** What happens around a delivery. */
type World = ReturnType<typeof worldOf>;

function worldOf(post: Scenario, lane: Lane, { store }: TestStorage) {
  const { proxy } = lane;
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
    healthy: lane.patient,
    /** Writes log rows; `log` also has them joined with the events that are there. */
    write,
    log,
    async refuse() {
      await forEachConcurrently(post.refusals, (refusal) => refuse(refusal, store));
    },
    /** From the next call on. Before the first write of all, the mails are logged whose late join must find nothing. */
    plan(plan: Plan) {
      proxy.plan = async (call) => {
        if (call.action === 'BatchWriteItem') {
          meanwhile ??= log('meanwhile');
          await meanwhile;
        }
        return plan(call);
      };
    },
    /** Storage is well again, and nothing of what was given up is still to come. */
    async recover() {
      await proxy.settled();
      this.plan(() => undefined);
    },
  };
}

export async function putLogRow(row: Readonly<Record<string, unknown>>, store: EventStore): Promise<void> {
  await store.client.send(new PutCommand({ TableName: store.sentLogTable, Item: row }));
}

/** Writes down what the sender was told of a recipient at the handover. */
export async function refuse({ story, bounce }: RefusalRows, store: EventStore): Promise<void> {
  await putLogRow(story, store);
  if (bounce) await store.client.send(new PutCommand({ TableName: store.bounceTable, Item: bounce }));
}

/** Counts from the first call that it is asked about. */
function failingPlan({ fault, k, rounds }: Failing): Plan {
  let calls = 0;
  return ({ action }) => {
    calls++;
    return calls >= k && calls < k + rounds && !refusesGoodItem(fault, action) ? fault : undefined;
  };
}

/** Makes each page of a query small, so that every story has several. */
export const smallPages: Rewrite = ({ action, body }) => (action === 'Query' ? { ...body, Limit: 3 } : undefined);

/** How many storage calls a way's delivery makes in which nothing fails. */
export async function callsOf(way: Way, lane: Lane, storage: TestStorage): Promise<number> {
  let calls = 0;
  const never: Failing = { fault: 'reset', k: Number.POSITIVE_INFINITY, rounds: 1 };
  lane.proxy.calls.length = 0;
  await play({ way, failing: never, patient: false }, lane, storage);
  for (const { action } of lane.proxy.calls) {
    if ((action === 'UpdateItem' || action === 'Query') === (way === 'late-join')) calls++;
  }
  return calls;
}

/** What each outcome is in the tables by now. */
export function judge(outcomes: readonly Outcome[], rows: readonly StoredRow[]): (Outcome & { verdict: Verdict })[] {
  const byTag = new Map<string, StoredRow[]>();
  for (const stored of rows) {
    const tag = tagOf(stored.row);
    byTag.set(tag, [...(byTag.get(tag) ?? []), stored]);
  }
  return outcomes.map((outcome) => ({ ...outcome, verdict: verdictOf(outcome.facts, byTag.get(outcome.tag) ?? []) }));
}

/** One text for each outcome that is not as it must be. */
export function troubles(judged: readonly (Outcome & { verdict: Verdict })[]): string[] {
  return judged
    .filter(({ verdict }) => !isAsItMustBe(verdict))
    .map(({ label, verdict }) => `${label}: ${JSON.stringify(verdict, undefined, 2)}`);
}

/** Plays something on several lanes at one time. */
export async function playEach<Item, OfLane extends { readonly proxy: FaultProxy }, Played>(
  items: readonly Item[],
  lanes: readonly OfLane[],
  playOne: (item: Item, lane: OfLane) => Promise<Played>,
  onDone: (done: number) => void = () => undefined,
): Promise<Played[]> {
  const outcomes: Played[] = [];
  const waiting = items.values();
  await Promise.all(
    lanes.map(async (lane) => {
      for (const item of waiting) {
        outcomes.push(await playOne(item, lane));
        lane.proxy.calls.length = 0;
        onDone(outcomes.length);
      }
    }),
  );
  return outcomes;
}
