/** Decides what follows an attempt. Pure: time and random number are arguments. */
import type { Handover } from '../providers/sender.ts';

/** From this long after the item was put, an attempt is the last one. */
export const RETRY_FOR_MS = 6 * 3_600_000;

/** An item that was tried this often without an answer, or deferred this often by its mailboxes, is given up. */
export const MAX_ATTEMPTS = 5;

const LONGEST_BACKOFF_MS = 15 * 60_000;

/** Delays for mailboxes. A greylisting server accepts a message after some minutes, not after seconds. */
const MAILBOX_BACKOFF_MINUTES = [1, 5, 15, 15];

/** After a time that a provider names, all that waits for it does not come at one moment. */
const SPREAD_MS = 5_000;

/**
 * Delay before the next attempt: doubles from 1 s to 15 min. Half of it is random, so that what failed together does not
 * come again together.
 *
 * @param random 0 up to 1
 */
export function backoffMs(failures: number, random: number): number {
  return Math.min(LONGEST_BACKOFF_MS, 1_000 * 2 ** failures) * (0.5 + random / 2);
}

/** An attempt that has ended. */
export interface Attempt {
  /** How many attempts the item counts, this one included. */
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
      /** How many attempts the item counts from now on. */
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
  // Only attempts without an answer count towards MAX_ATTEMPTS.
  return { kind: 'retry', atMs, attempts: attempts - 1 };
}

/** Whether the time of a sending is over, so that an attempt now is the last one. */
const isLast = (putAtMs: number, nowMs: number): boolean => nowMs >= putAtMs + RETRY_FOR_MS;

/**
 * When to try again: after the backoff and not before the provider wants, but at the latest when the time is over.
 *
 * @param retryAtMs what the provider asked for; Unix milliseconds
 */
export function retryTime(
  { deferrals, putAtMs }: Pick<Attempt, 'deferrals' | 'putAtMs'>,
  retryAtMs: number | undefined,
  nowMs: number,
  random: number,
): number {
  const afterBackoff = nowMs + backoffMs(deferrals, random);
  const asAsked = retryAtMs === undefined ? 0 : retryAtMs + SPREAD_MS * random;
  // Past that time it is tried again soon: an attempt that could not be made was not the last one.
  return Math.min(Math.max(afterBackoff, asAsked), Math.max(putAtMs + RETRY_FOR_MS, nowMs + 1_000));
}
