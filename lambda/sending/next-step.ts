/** Decides what follows an attempt: sent, failed, or another attempt. Pure: time and random number are arguments. */
import type { Handover } from '../providers/sender.ts';

/** An attempt that is made this long after the item was put, or later, is the last one. */
export const RETRY_FOR_MS = 6 * 3_600_000;

/** An item fails after this many attempts that ended without a result, or were deferred by its mailboxes. */
export const MAX_ATTEMPTS = 5;

const LONGEST_BACKOFF_MS = 15 * 60_000;

/**
 * Delays after a deferral by mailboxes. A greylisting server accepts a message after some minutes, not after seconds.
 */
const MAILBOX_BACKOFF_MINUTES = [1, 5, 15, 15];

/** Spreads the attempts after a time that a provider named, so that they are not all made at once. */
const SPREAD_MS = 5_000;

/**
 * Delay before the next attempt. It doubles from 1 s to 15 min. Half of it is random, so that items that were deferred
 * at the same time are not all tried again at the same time.
 *
 * @param random 0 up to 1
 */
export function backoffMs(failures: number, random: number): number {
  return Math.min(LONGEST_BACKOFF_MS, 1_000 * 2 ** failures) * (0.5 + random / 2);
}

/** An attempt that has ended. */
export interface Attempt {
  /** The item's number of attempts, this one included. */
  readonly attempts: number;
  /** How often the sending was deferred before. */
  readonly deferrals: number;
  /** When the item was put; Unix milliseconds. */
  readonly putAtMs: number;
}

export type NextStep =
  | { readonly kind: 'sent' }
  | { readonly kind: 'failed' }
  | {
      readonly kind: 'retry';
      /** Unix milliseconds. */
      readonly atMs: number;
      /** The item's new number of attempts. */
      readonly attempts: number;
    };

/**
 * Decides how an item continues after a handover.
 *
 * @param random 0 up to 1
 */
export function nextStep(handover: Handover, attempt: Attempt, nowMs: number, random: number): NextStep {
  if (handover.kind === 'sent') return { kind: 'sent' };
  if (handover.kind === 'refused' || isLast(attempt.putAtMs, nowMs)) return { kind: 'failed' };
  const { attempts } = attempt;
  if (handover.blames === 'mailboxes') {
    const minutes = MAILBOX_BACKOFF_MINUTES[attempts - 1];
    if (minutes === undefined) return { kind: 'failed' };
    return { kind: 'retry', atMs: nowMs + minutes * 60_000, attempts };
  }
  const atMs = retryTime(attempt, handover.retryAtMs, nowMs, random);
  // The claim counted this attempt. Only a deferral by mailboxes counts towards MAX_ATTEMPTS.
  return { kind: 'retry', atMs, attempts: attempts - 1 };
}

/** Whether an attempt now is the last one. */
const isLast = (putAtMs: number, nowMs: number): boolean => nowMs >= putAtMs + RETRY_FOR_MS;

/**
 * When to try again: after the backoff, not before the time that the provider named, and at the latest RETRY_FOR_MS
 * after the item was put.
 *
 * @param retryAtMs the time that the provider named; Unix milliseconds
 */
export function retryTime(
  { deferrals, putAtMs }: Pick<Attempt, 'deferrals' | 'putAtMs'>,
  retryAtMs: number | undefined,
  nowMs: number,
  random: number,
): number {
  const afterBackoff = nowMs + backoffMs(deferrals, random);
  const asAsked = retryAtMs === undefined ? 0 : retryAtMs + SPREAD_MS * random;
  // If that time has passed and the last attempt could not be made, it is tried again soon.
  return Math.min(Math.max(afterBackoff, asAsked), Math.max(putAtMs + RETRY_FOR_MS, nowMs + 1_000));
}
