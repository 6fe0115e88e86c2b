/**
 * An explorer of interleavings: a recorder that records one failure, the application that logs its mail, and the late
 * join that the log row brings about. It holds every storage call back at the proxy and lets one of them go on at a
 * time, in every order that there can be, with every crash of one of the three: a call is cut off before or after it
 * took effect, and the message, the mail or the stream record comes again. In another cast the recorder gives a write up,
 * and the write takes effect at any later time; publish-failures gets each change of the Bounce row by its stream.
 *
 * How: depth-first, each schedule played from its beginning. Schedules that meet in a state (the same rows, the same
 * calls made by each actor since its last start) go on alike from there, so only the first of them is played on.
 */
import { isDeepStrictEqual } from 'node:util';
import { BatchGetCommand } from '@aws-sdk/lib-dynamodb';
import type { MailEvent } from '../../lambda/mail/event.ts';
import { canonicalJson } from '../../lambda/mail/json.ts';
import { normalizeSendGrid } from '../../lambda/providers/sendgrid/events.ts';
import type { Change } from '../../lambda/publishing/failure-event.ts';
import { publishFailures } from '../../lambda/publishing/publish-failures.ts';
import { LOG_ROW_ENTRY } from '../../lambda/recording/entries.ts';
import type { EventStore } from '../../lambda/recording/event-store.ts';
import { storyRow } from '../../lambda/recording/rows.ts';
import { type Verdict, verdictOf } from './expected-rows.ts';
import type { Fault, StorageCall } from './fault-proxy.ts';
import { PUBLISHER } from './guards.ts';
import { newTag, RETENTION_DAYS, sendGridEventsOf, type TestMail, testMail } from './posts.ts';
import { FIRST_TIME, joinLate, putLogRow, record } from './recording.ts';
import type { Lane, StoredRow, TestStorage } from './storage.ts';

/** What takes part, beside one recorder, the application and the late join. */
export interface Cast {
  /** Two recorders are given the same message at the same time. */
  readonly recorders: 1 | 2;
  /** As the sender writes it, or, as an application does, without what the late join adds. */
  readonly logRow: 'whole' | 'of an application';
  readonly crashes: 0 | 1;
  /** Whether one write of the recorder takes effect late, and publish-failures works. */
  readonly lateWrite?: boolean;
}

/** What one actor's pending call does next. */
interface Step {
  readonly actor: string;
  readonly what: 'goes on' | Extract<Fault, 'reset' | 'lost answer' | 'stale read' | 'late write'>;
}

export interface Explored {
  /** Complete ones, whether played to their ends or only up to where they meet another. */
  readonly schedules: number;
  /** Verdicts on the schedules that were played to their ends, each with how it went. */
  readonly ends: readonly { readonly schedule: string; readonly verdict: Verdict }[];
}

interface Start {
  readonly path: readonly Step[];
  /** The state in which the path's last step is taken. */
  readonly from: string | undefined;
}

export async function explore(
  cast: Cast,
  lanes: readonly Lane[],
  storage: TestStorage,
  onState: (states: number) => void = () => undefined,
): Promise<Explored> {
  const frontier: Start[] = [{ path: [], from: undefined }];
  /** Every state with those that can come next. */
  const graph = new Map<string, string[]>();
  const ends: Explored['ends'][number][] = [];

  const playOn = async (start: Start, lane: Lane) => {
    const run = new Run(cast, lane, storage.store);
    await run.start();
    for (const step of start.path) await run.take(step);
    let { from } = start;
    for (const path = [...start.path]; ; ) {
      const { state, steps } = await run.look();
      if (from !== undefined) graph.get(from)?.push(state);
      if (graph.has(state)) break;
      graph.set(state, []);
      onState(graph.size);
      const [step, ...others] = steps;
      if (step === undefined) {
        ends.push({ schedule: path.map(({ actor, what }) => `${actor} ${what}`).join(', '), ...(await run.end()) });
        break;
      }
      frontier.push(...others.map((other) => ({ path: [...path, other], from: state })));
      await run.take(step);
      path.push(step);
      from = state;
    }
    await run.abandon();
  };

  await workOff(frontier, lanes, playOn);
  return { schedules: countPaths(graph), ends };
}

/** Until nothing waits and nobody works: work makes more work. */
function workOff<Item>(
  waiting: Item[],
  lanes: readonly Lane[],
  work: (item: Item, lane: Lane) => Promise<void>,
): Promise<void> {
  const idle = [...lanes];
  return new Promise((resolve, reject) => {
    const pump = () => {
      for (let lane = idle.pop(); lane; lane = idle.pop()) {
        const item = waiting.pop();
        if (item === undefined) {
          idle.push(lane);
          break;
        }
        const own = lane;
        work(item, own).then(() => {
          idle.push(own);
          pump();
        }, reject);
      }
      if (idle.length === lanes.length && waiting.length === 0) resolve();
    };
    pump();
  });
}

/** How many ways lead from the first state to an end. */
function countPaths(graph: ReadonlyMap<string, readonly string[]>): number {
  const counts = new Map<string, number>();
  const count = (state: string): number => {
    const known = counts.get(state);
    if (known !== undefined) return known;
    const next = graph.get(state) ?? [];
    const paths = next.length === 0 ? 1 : next.reduce((sum, following) => sum + count(following), 0);
    counts.set(state, paths);
    return paths;
  };
  const [first] = graph.keys();
  return first === undefined ? 0 : count(first);
}

/** The actor whose step makes the late write take effect. */
const LATE_WRITE = 'late write';

/** The value of `day`: a hash of the mail's id is in it. */
const DAY_SHARD = /\d{4}-\d\d-\d\d#\d/g;

/** One schedule, under way. */
class Run {
  readonly #tag = newTag();
  readonly #mail: TestMail;
  readonly #event: Extract<MailEvent, { kind: 'failure' }>;
  readonly #actors = new Map<string, Actor>();
  readonly #late: Actor;
  readonly #lane: Lane;
  readonly #store: EventStore;
  #crashesLeft: number;
  #lateWritesLeft: number;
  /** A write that was given up and has not taken effect. */
  #lateWrite: (() => Promise<unknown>) | undefined;
  readonly #publisher: Actor | undefined;
  /** The Bounce row, and what of its changes waits for publish-failures. */
  #row: Change['row'];
  #toPublish: Change[] = [];
  readonly #logRow: Cast['logRow'];
  /** Log rows that the stream brought, and those of them that wait for the late join. */
  #brought = 0;
  #toJoin = 0;

  constructor(cast: Cast, lane: Lane, store: EventStore) {
    this.#lane = lane;
    this.#store = store;
    this.#crashesLeft = cast.crashes;
    this.#lateWritesLeft = cast.lateWrite ? 1 : 0;
    this.#logRow = cast.logRow;
    this.#mail = testMail('sendgrid', this.#tag, cast.logRow === 'whole' ? 'meanwhile' : 'later');
    this.#event = bounceOf(this.#tag);
    const add = (name: string, work: (store: EventStore) => Promise<unknown>) => {
      const actor = new Actor(name, () => work(storeOf(lane, name)));
      this.#actors.set(name, actor);
      return actor;
    };
    for (const name of ['recorder', 'recorder2'].slice(0, cast.recorders)) {
      add(name, (own) => record([this.#event], FIRST_TIME, own, new AbortController().signal));
    }
    add('application', (own) => putLogRow(this.#mail.row, own));
    this.#late = add('lateJoin', (own) => joinLate(this.#mail, own));
    if (cast.lateWrite) this.#publisher = add(PUBLISHER, (own) => this.#publishNext(own));
    lane.proxy.calls.length = 0;
    lane.proxy.whenLate = (takeEffect) => {
      this.#lateWrite = takeEffect;
    };
    lane.proxy.plan = (call) => this.#actors.get(call.caller)?.arrive(call);
  }

  async start(): Promise<void> {
    for (const actor of this.#actors.values()) {
      if (actor !== this.#late && actor !== this.#publisher) await actor.start();
    }
  }

  /** The state, and what can come next. */
  async look(): Promise<{ state: string; steps: Step[] }> {
    const rows = await this.#rows();
    const logged = rows.some(({ row }) => row['entry'] === LOG_ROW_ENTRY);
    const actors = [...this.#actors.values()];
    const isRecorder = ({ name }: Actor) => name.startsWith('recorder');
    const [recorders, others] = [actors.filter(isRecorder), actors.filter((actor) => !isRecorder(actor))];
    const progressOf = ({ state, calls }: Actor) => JSON.stringify([state, calls]);
    const state = JSON.stringify([
      entriesOf(rows),
      // Two recorders do the same: which of them is further makes no difference.
      recorders.map(progressOf).sort(),
      others.map(progressOf),
      this.#crashesLeft,
      this.#toJoin,
      this.#lateWritesLeft,
      this.#lateWrite !== undefined,
      this.#toPublish,
    ]);
    const steps = actors.flatMap(({ name, pending }) => {
      if (pending === undefined) return [];
      const whats: Step['what'][] = ['goes on'];
      // Before the mail is logged every look finds nothing anyway.
      if (logged && !this.#publisher && pending.action === 'BatchGetItem') whats.push('stale read');
      if (this.#crashesLeft > 0) whats.push('reset', 'lost answer');
      if (this.#lateWritesLeft > 0 && pending.action === 'BatchWriteItem') whats.push('late write');
      return whats.map((what): Step => ({ actor: name, what }));
    });
    if (this.#lateWrite) steps.push({ actor: LATE_WRITE, what: 'goes on' });
    // What differs between two schedules only because each has a mail of its own.
    const own = state.replaceAll(this.#event.eventId, 'event').replaceAll(this.#tag, 'mail');
    return { state: own.replaceAll(DAY_SHARD, 'day'), steps };
  }

  async take({ actor: name, what }: Step): Promise<void> {
    if (name === LATE_WRITE) {
      const takeEffect = this.#lateWrite;
      this.#lateWrite = undefined;
      await takeEffect?.();
    } else {
      const crash = what === 'reset' || what === 'lost answer';
      if (crash) this.#crashesLeft--;
      if (what === 'late write') this.#lateWritesLeft--;
      await this.#actors.get(name)?.goOn(what === 'goes on' ? undefined : what, crash || what === 'late write');
    }
    await this.#bring();
    // The stream brings new log rows, and those that were put again without what the late join had added.
    if (name === 'application' && what !== 'reset' && (this.#brought === 0 || this.#logRow !== 'whole')) {
      this.#brought++;
      this.#toJoin++;
    }
    if (this.#toJoin > 0 && (this.#late.state === 'not begun' || this.#late.state === 'done')) {
      this.#toJoin--;
      await this.#late.start();
    }
  }

  async end(): Promise<{ verdict: Verdict }> {
    const facts = { events: [this.#event], logRows: [this.#mail.row], receivedAtMs: [FIRST_TIME] };
    const failed = [...this.#actors.values()].flatMap(({ failure }) => failure ?? []);
    const rows = (await this.#rows()).map(({ table, row: { rejoined: _, ...row } }) => ({ table, row }));
    const verdict = verdictOf(facts, rows);
    return { verdict: { ...verdict, wrong: [...verdict.wrong, ...failed] } };
  }

  /** The stream of Bounce brings what a step has changed. */
  async #bring(): Promise<void> {
    if (this.#publisher === undefined) return;
    const oldRow = this.#row;
    this.#row = (await this.#rows()).find(({ table }) => table === 'Bounce')?.row;
    if (!isDeepStrictEqual(this.#row, oldRow)) this.#toPublish.push({ oldRow, row: this.#row });
    const { state } = this.#publisher;
    if (this.#toPublish.length > 0 && (state === 'not begun' || state === 'done')) await this.#publisher.start();
  }

  /** All that waits is one batch. */
  async #publishNext(store: EventStore): Promise<void> {
    const records = this.#toPublish.map((change, n) => ({ ...change, sequenceNumber: String(n) }));
    this.#toPublish = [];
    const { batchItemFailures } = await publishFailures(records, { store, bus: undefined, stackName: 'Todoke' });
    if (batchItemFailures.length > 0) throw new Error('A record must come again');
  }

  async abandon(): Promise<void> {
    await Promise.all([...this.#actors.values()].map((actor) => actor.abandon()));
    await this.#lane.proxy.settled();
  }

  async #rows(): Promise<StoredRow[]> {
    const { sentLogTable, bounceTable, client } = this.#store;
    const { entry } = storyRow(this.#event, this.#tag, { receivedAtMs: FIRST_TIME, retentionDays: RETENTION_DAYS });
    const { fullMessageId, eventId } = this.#event;
    const story = [LOG_ROW_ENTRY, entry].map((one) => ({ messageId: this.#tag, entry: one }));
    const { Responses = {} } = await client.send(
      new BatchGetCommand({
        RequestItems: {
          [sentLogTable]: { ConsistentRead: true, Keys: story },
          [bounceTable]: { ConsistentRead: true, Keys: [{ fullMessageId, eventId }] },
        },
      }),
    );
    const byEntry = (a: StoredRow['row'], b: StoredRow['row']) => String(a['entry']).localeCompare(String(b['entry']));
    return [
      ...(Responses[sentLogTable] ?? []).sort(byEntry).map((row) => ({ table: 'SentLog', row }) as const),
      ...(Responses[bounceTable] ?? []).map((row) => ({ table: 'Bounce', row }) as const),
    ];
  }
}

/** The documented bounce, as an event of this mail. */
function bounceOf(messageId: string): Extract<MailEvent, { kind: 'failure' }> {
  const bounce = sendGridEventsOf(messageId)
    .map(normalizeSendGrid)
    .find((event) => event.kind === 'failure' && event.state === 'bounced');
  if (bounce?.kind !== 'failure') throw new Error('Cannot find a bounce among the documented events');
  return bounce;
}

const entriesOf = (rows: readonly StoredRow[]) => rows.map(({ table, row }) => [table, canonicalJson(row)]);

const stores = new WeakMap<Lane, Map<string, EventStore>>();

/** One for all runs on a lane: connections are kept. */
function storeOf(lane: Lane, name: string): EventStore {
  const ofLane = stores.get(lane) ?? new Map<string, EventStore>();
  stores.set(lane, ofLane);
  const store = ofLane.get(name) ?? lane.storeOf(name);
  ofLane.set(name, store);
  return store;
}

/** Code that makes one storage call after another, each of which waits to be let on. After a crash it begins again. */
class Actor {
  readonly name: string;
  state: 'not begun' | 'working' | 'waiting' | 'done' = 'not begun';
  /** Since its last start. What it knows is what it was answered, and that shows in what it asks for next. */
  readonly calls: string[] = [];
  pending: StorageCall | undefined;
  /** Why it failed without a crash. */
  failure: string | undefined;
  readonly #work: () => Promise<unknown>;
  #release: (fault: Fault | undefined) => void = () => undefined;
  #wake: () => void = () => undefined;
  #crashed = false;
  #over = false;

  constructor(name: string, work: () => Promise<unknown>) {
    this.name = name;
    this.#work = work;
  }

  start(): Promise<void> {
    const still = this.#stillness();
    this.#run();
    return still;
  }

  /** A call has come to the proxy. */
  arrive(call: StorageCall): Promise<Fault | undefined> | Fault {
    if (this.#over) return 'reset';
    this.calls.push(`${call.action} ${JSON.stringify(call.body)}`);
    this.pending = call;
    this.state = 'waiting';
    const released = new Promise<Fault | undefined>((resolve) => {
      this.#release = resolve;
    });
    this.#wake();
    return released;
  }

  /** Resolves when the next call waits, or all is done. */
  goOn(fault: Fault | undefined, crash: boolean): Promise<void> {
    const still = this.#stillness();
    this.#crashed = crash;
    this.pending = undefined;
    this.#release(fault);
    return still;
  }

  async abandon(): Promise<void> {
    this.#over = true;
    if (this.state === 'waiting') await this.goOn('reset', false);
  }

  #stillness(): Promise<void> {
    this.state = 'working';
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #run(): Promise<void> {
    for (;;) {
      try {
        await this.#work();
        break;
      } catch (error) {
        if (this.#over) break;
        if (!this.#crashed) {
          this.failure = `${this.name} failed: ${error}`;
          break;
        }
        this.#crashed = false;
        this.calls.length = 0;
      }
    }
    this.state = 'done';
    this.calls.length = 0;
    this.#wake();
  }
}
