/** Posts events to a webhook when they are due, and posts refused ones again if the provider does so. */

import * as z from 'zod';
import { counted } from '../counted.ts';
import { messageOf } from '../files.ts';

/** An event that waits to be posted to a webhook. Plain JSON if the event is, so that it can be stored on disk. */
export interface Pending<Event> {
  readonly event: Event;
  /** When it is to be posted next, in Unix milliseconds. */
  readonly dueAt: number;
  /** When it was first due, in Unix milliseconds; the limit on retries counts from then. */
  readonly since: number;
  /** How often the webhook did not accept it. */
  readonly attempts: number;
}

/** An event and when it is to be posted, in Unix milliseconds. */
export type Scheduled<Event> = Pick<Pending<Event>, 'event' | 'dueAt'>;

/** Reads back what {@link Outbox.pending} returned, once it has been JSON. */
export const pendingSchema = <Event extends z.ZodType>(event: Event) =>
  z.object({ event, dueAt: z.number(), since: z.number(), attempts: z.int() });

/** How a provider posts its events. */
export interface OutboxOptions<Event> {
  /** Divides events that are due at the same time into posts; both in order. */
  readonly split: (events: readonly Pending<Event>[]) => readonly (readonly Pending<Event>[])[];
  /** Sends one post. Resolves with undefined if the webhook accepted it, otherwise with what went wrong. */
  readonly post: (events: readonly Event[], signal: AbortSignal) => Promise<string | undefined>;
  /** How long to wait before an event that was not accepted is posted again, in milliseconds; undefined to give it up. */
  readonly retryAfterMs: (refused: Pending<Event>, nowMs: number) => number | undefined;
  /** Gets one line for a person to read about each post that was not accepted. */
  readonly report: (line: string) => void;
  /**
   * Stores the pending events, before `add` returns and whenever they change. If it throws in `add`, then `add` throws and
   * adds nothing. If it throws later, the error is reported.
   */
  readonly keep?: ((pending: readonly Pending<Event>[]) => void) | undefined;
}

/** Posts events to a webhook when they are due, one post at a time. Events that are due together share a post. */
export class Outbox<Event> {
  readonly #options: OutboxOptions<Event>;
  readonly #closing = new AbortController();
  #waiting: readonly Pending<Event>[] = [];
  /** Being posted: no longer in `#waiting`, and neither accepted nor refused yet. */
  #leaving: readonly Pending<Event>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #run: Promise<void> | undefined;
  #lost = 0;
  readonly #onIdle: (() => void)[] = [];

  constructor(options: OutboxOptions<Event>) {
    this.#options = options;
  }

  /** How many events were given up. */
  get lost(): number {
    return this.#lost;
  }

  /** Events that are not posted yet, or were not accepted. Does not change after {@link close}. */
  get pending(): readonly Pending<Event>[] {
    return [...this.#leaving, ...this.#waiting];
  }

  /** Adds events; those of one call that are due at the same time go into one post. */
  add(events: readonly Scheduled<Event>[]): void {
    this.restore(events.map(({ event, dueAt }) => ({ event, dueAt, since: dueAt, attempts: 0 })));
  }

  /** Adds the pending events of another outbox; overdue ones are posted at once. */
  restore(pending: readonly Pending<Event>[]): void {
    const waiting = inOrder([...this.#waiting, ...pending]);
    if (pending.length > 0) this.#options.keep?.([...this.#leaving, ...waiting]);
    this.#waiting = waiting;
    this.#wake();
  }

  /** Resolves once nothing is pending, or the outbox is closed. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#wake();
    });
  }

  /** Stops at once. A post that is being sent is aborted and stays pending, so it may arrive twice. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#run;
    this.#wake();
  }

  /** Sets the timer for the next due event, or resolves `idle` if there is none. */
  #wake(): void {
    if (this.#run) return;
    clearTimeout(this.#timer);
    const next = this.#waiting[0];
    if (next && !this.#closing.signal.aborted) {
      this.#timer = setTimeout(() => this.#start(), Math.max(0, next.dueAt - Date.now()));
      return;
    }
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #start(): void {
    this.#run = this.#postDue().finally(() => {
      this.#run = undefined;
      this.#wake();
    });
  }

  async #postDue(): Promise<void> {
    const nowMs = Date.now();
    const due = this.#waiting.filter(({ dueAt }) => dueAt <= nowMs);
    // A timer may go off a millisecond early.
    if (due.length === 0) return;
    const posts = this.#options.split(due);
    this.#leaving = posts.flat();
    this.#waiting = this.#waiting.filter(({ dueAt }) => dueAt > nowMs);
    for (const post of posts) {
      const refusal = await this.#send(post);
      if (this.#closing.signal.aborted) return;
      this.#leaving = this.#leaving.slice(post.length);
      if (refusal !== undefined) this.#repeat(post, refusal);
      this.#keep();
    }
  }

  /** Events that cannot be stored are still posted. */
  #keep(): void {
    try {
      this.#options.keep?.(this.pending);
    } catch (error) {
      this.#options.report(`Cannot store the events that wait to be posted: ${messageOf(error)}`);
    }
  }

  async #send(post: readonly Pending<Event>[]): Promise<string | undefined> {
    const events = post.map(({ event }) => event);
    return this.#options.post(events, this.#closing.signal).catch(String);
  }

  #repeat(post: readonly Pending<Event>[], refusal: string): void {
    const nowMs = Date.now();
    const repeated = post.flatMap((pending) => {
      const refused = { ...pending, attempts: pending.attempts + 1 };
      const waitMs = this.#options.retryAfterMs(refused, nowMs);
      return waitMs === undefined ? [] : [{ ...refused, dueAt: nowMs + waitMs }];
    });
    this.#waiting = inOrder([...this.#waiting, ...repeated]);
    const lost = post.length - repeated.length;
    this.#lost += lost;
    const parts = [refusal];
    const waitMs = Math.min(...repeated.map(({ dueAt }) => dueAt - nowMs));
    if (repeated.length > 0) parts.push(`next try in ${waitMs / 1000} s`);
    if (lost > 0) parts.push(`${counted(lost, 'event')} lost`);
    this.#options.report(parts.join(', '));
  }
}

const inOrder = <Event>(pending: readonly Pending<Event>[]) => pending.toSorted((a, b) => a.dueAt - b.dueAt);
