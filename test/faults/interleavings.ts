/**
 * Explores the interleavings of three actors: a recorder that records one failure, the application that logs its mail,
 * and the late join that the log row starts. The proxy holds every storage call and releases one at a time, in every
 * possible order. Each of the three may also crash at any call: the call is cut off before or after it takes effect, and
 * the queue message, the mail or the stream record is delivered again. In another cast the recorder gives up a write,
 * which takes effect at any later time, and publish-failures gets each change of the Bounce row from the stream.
 *
 * The search is depth-first, and each schedule is played from its start. Two schedules that reach the same state (the same
 * rows, and the same calls of each actor since its last start) continue in the same way, so only the first is continued.
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
import type { Rig, StoredRow, TestStorage } from './storage.ts';

/** Who takes part, besides one recorder, the application and the late join. */
export interface Cast {
  /** With 2, two recorders get the same message at the same time. */
  readonly recorders: 1 | 2;
  /** The whole log row, as the sender writes it; or, as an application writes it, without what the late join adds. */
  readonly logRow: 'whole' | 'of an application';
  readonly crashes: 0 | 1;
  /** If true, one write of the recorder takes effect late, and publish-failures takes part. */
  readonly lateWrite?: boolean;
}

/** What happens next to one actor's pending call. */
interface Step {
  readonly actor: string;
  readonly what: 'goes on' | Extract<Fault, 'reset' | 'lost answer' | 'stale read' | 'late write'>;
}

export interface Explored {
  /** Complete schedules, including those that were stopped where they met another. */
  readonly schedules: number;
  /** The verdict on each schedule that was played to its end, with its steps. */
  readonly ends: readonly { readonly schedule: string; readonly verdict: Verdict }[];
}

interface Start {
  readonly path: readonly Step[];
  /** The state before the path's last step. */
  readonly from: string | undefined;
}

export async function explore(
  cast: Cast,
  rigs: readonly Rig[],
  storage: TestStorage,
  onState: (states: number) => void = () => undefined,
): Promise<Explored> {
  const frontier: Start[] = [{ path: [], from: undefined }];
  /** Each state, with the states that can follow it. */
  const graph = new Map<string, string[]>();
  const ends: Explored['ends'][number][] = [];

  const playOn = async (start: Start, rig: Rig) => {
    const run = new Run(cast, rig, storage.store);
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

  await workOff(frontier, rigs, playOn);
  return { schedules: countPaths(graph), ends };
}

/** Works until nothing waits and nobody is busy. Work can add more work. */
function workOff<Item>(
  waiting: Item[],
  rigs: readonly Rig[],
  work: (item: Item, rig: Rig) => Promise<void>,
): Promise<void> {
  const idle = [...rigs];
  return new Promise((resolve, reject) => {
    const pump = () => {
      for (let rig = idle.pop(); rig; rig = idle.pop()) {
        const item = waiting.pop();
        if (item === undefined) {
          idle.push(rig);
          break;
        }
        const own = rig;
        work(item, own).then(() => {
          idle.push(own);
          pump();
        }, reject);
      }
      if (idle.length === rigs.length && waiting.length === 0) resolve();
    };
    pump();
  });
}

/** The number of paths from the first state to an end. */
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

/** The actor whose step lets the late write take effect. */
const LATE_WRITE = 'late write';

/** The value of `day`, which contains a hash of the mail's id. */
const DAY_SHARD = /\d{4}-\d\d-\d\d#\d/g;

/** One schedule that is being played. */
class Run {
  readonly #tag = newTag();
  readonly #mail: TestMail;
  readonly #event: Extract<MailEvent, { kind: 'failure' }>;
  readonly #actors = new Map<string, Actor>();
  readonly #late: Actor;
  readonly #rig: Rig;
  readonly #store: EventStore;
  #crashesLeft: number;
  #lateWritesLeft: number;
  /** A write that was given up and has not yet taken effect. */
  #lateWrite: (() => Promise<unknown>) | undefined;
  readonly #publisher: Actor | undefined;
  /** The Bounce row, and its changes that publish-failures has not yet received. */
  #row: Change['row'];
  #toPublish: Change[] = [];
  readonly #logRow: Cast['logRow'];
  /** How many log rows the stream delivered, and which of them wait for the late join. */
  #brought = 0;
  #toJoin = 0;

  constructor(cast: Cast, rig: Rig, store: EventStore) {
    this.#rig = rig;
    this.#store = store;
    this.#crashesLeft = cast.crashes;
    this.#lateWritesLeft = cast.lateWrite ? 1 : 0;
    this.#logRow = cast.logRow;
    this.#mail = testMail('sendgrid', this.#tag, cast.logRow === 'whole' ? 'meanwhile' : 'later');
    this.#event = bounceOf(this.#tag);
    const add = (name: string, work: (store: EventStore) => Promise<unknown>) => {
      const actor = new Actor(name, () => work(storeOf(rig, name)));
      this.#actors.set(name, actor);
      return actor;
    };
    for (const name of ['recorder', 'recorder2'].slice(0, cast.recorders)) {
      add(name, (own) => record([this.#event], FIRST_TIME, own, new AbortController().signal));
    }
    add('application', (own) => putLogRow(this.#mail.row, own));
    this.#late = add('lateJoin', (own) => joinLate(this.#mail, own));
    if (cast.lateWrite) this.#publisher = add(PUBLISHER, (own) => this.#publishNext(own));
    rig.proxy.calls.length = 0;
    rig.proxy.whenLate = (takeEffect) => {
      this.#lateWrite = takeEffect;
    };
    rig.proxy.plan = (call) => this.#actors.get(call.caller)?.arrive(call);
  }

  async start(): Promise<void> {
    for (const actor of this.#actors.values()) {
      if (actor !== this.#late && actor !== this.#publisher) await actor.start();
    }
  }

  /** The state, and the possible next steps. */
  async look(): Promise<{ state: string; steps: Step[] }> {
    const rows = await this.#rows();
    const logged = rows.some(({ row }) => row['entry'] === LOG_ROW_ENTRY);
    const actors = [...this.#actors.values()];
    const isRecorder = ({ name }: Actor) => name.startsWith('recorder');
    const [recorders, others] = [actors.filter(isRecorder), actors.filter((actor) => !isRecorder(actor))];
    const progressOf = ({ state, calls }: Actor) => JSON.stringify([state, calls]);
    const state = JSON.stringify([
      entriesOf(rows),
      // The two recorders do the same work, so their order does not matter.
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
      // Before the mail is logged, every lookup finds nothing anyway.
      if (logged && !this.#publisher && pending.action === 'BatchGetItem') whats.push('stale read');
      if (this.#crashesLeft > 0) whats.push('reset', 'lost answer');
      if (this.#lateWritesLeft > 0 && pending.action === 'BatchWriteItem') whats.push('late write');
      return whats.map((what): Step => ({ actor: name, what }));
    });
    if (this.#lateWrite) steps.push({ actor: LATE_WRITE, what: 'goes on' });
    // Each schedule has its own mail. The names are replaced so that states of different schedules compare equal.
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
    // The stream delivers new log rows, and log rows that were written again without what the late join had added.
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

  /** The stream of Bounce delivers the changes of a step. */
  async #bring(): Promise<void> {
    if (this.#publisher === undefined) return;
    const oldRow = this.#row;
    this.#row = (await this.#rows()).find(({ table }) => table === 'Bounce')?.row;
    if (!isDeepStrictEqual(this.#row, oldRow)) this.#toPublish.push({ oldRow, row: this.#row });
    const { state } = this.#publisher;
    if (this.#toPublish.length > 0 && (state === 'not begun' || state === 'done')) await this.#publisher.start();
  }

  /** Everything that waits is one batch. */
  async #publishNext(store: EventStore): Promise<void> {
    const records = this.#toPublish.map((change, n) => ({ ...change, sequenceNumber: String(n) }));
    this.#toPublish = [];
    const { batchItemFailures } = await publishFailures(records, { store, bus: undefined, stackName: 'Todoke' });
    if (batchItemFailures.length > 0) throw new Error('A record must come again');
  }

  async abandon(): Promise<void> {
    await Promise.all([...this.#actors.values()].map((actor) => actor.abandon()));
    await this.#rig.proxy.settled();
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

/** The documented bounce, as an event of the given mail. */
function bounceOf(messageId: string): Extract<MailEvent, { kind: 'failure' }> {
  const bounce = sendGridEventsOf(messageId)
    .map(normalizeSendGrid)
    .find((event) => event.kind === 'failure' && event.state === 'bounced');
  if (bounce?.kind !== 'failure') throw new Error('Cannot find a bounce among the documented events');
  return bounce;
}

const entriesOf = (rows: readonly StoredRow[]) => rows.map(({ table, row }) => [table, canonicalJson(row)]);

const stores = new WeakMap<Rig, Map<string, EventStore>>();

/** One store for all runs on a rig, so that connections are kept. */
function storeOf(rig: Rig, name: string): EventStore {
  const ofRig = stores.get(rig) ?? new Map<string, EventStore>();
  stores.set(rig, ofRig);
  const store = ofRig.get(name) ?? rig.storeOf(name);
  ofRig.set(name, store);
  return store;
}

/** Code that makes one storage call after another. Each call waits until it is released. After a crash the code restarts. */
class Actor {
  readonly name: string;
  state: 'not begun' | 'working' | 'waiting' | 'done' = 'not begun';
  /** Calls since the last start. They also identify the actor's state: the answers it got determine its next calls. */
  readonly calls: string[] = [];
  pending: StorageCall | undefined;
  /** The error, if it failed without a crash. */
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

  /** Called when a call reaches the proxy. */
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

  /** Resolves when the next call waits, or all work is done. */
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
