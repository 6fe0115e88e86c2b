/** Finds out which items will not be sent unless a person acts. */
import type { Row } from '../aws/dynamodb.ts';

/**
 * How long an item may be without a status. send-mail claims an item within seconds, or in a burst within a minute. An
 * item does not say when it was put. So it counts as stuck only if it has no status at two looks that are this long
 * apart.
 */
export const NORMAL_WAIT_MS = 60_000;
/**
 * How long after the claim lapsed a sending may still go on by itself. After a crash Lambda pauses, and then delivers
 * the record again. If it split the batch, the deliveries of the other half come first, of up to three minutes each.
 */
const TAKEN_UP_AGAIN_WITHIN_MS = 15 * 60_000;
/** RetryQueue delivers a deferred sending at the time of its next attempt. It may be late, but not by this much. */
const NEXT_ATTEMPT_WITHIN_MS = 30 * 60_000;

/** The attributes that the functions below read, and the item's `id`. */
export const STANDING_ATTRIBUTES = ['id', 'status', 'sendingUntil', 'nextAttemptAt', 'messageId', 'error'] as const;

/** Whether an item with this status waits to be sent: the status is missing or empty. */
export const isWaiting = (status: unknown): boolean => status === undefined || status === null || status === '';

/**
 * Why a Mail item will not be sent unless a person acts, in a few words; undefined if it was sent, or still may be. The
 * result is also undefined for an item without a status, whose attributes do not show how long it waits: see
 * NORMAL_WAIT_MS.
 */
export function whyStuck(item: Row, nowMs: number): string | undefined {
  const { status, sendingUntil, nextAttemptAt } = item;
  if (status === 'failed') return 'failed';
  if (status !== 'sending') return undefined;
  const untilMs = timeOf(sendingUntil);
  const nextMs = timeOf(nextAttemptAt);
  if (untilMs !== undefined && untilMs >= nowMs - TAKEN_UP_AGAIN_WITHIN_MS) return undefined;
  if (nextMs !== undefined) {
    return nextMs < nowMs - NEXT_ATTEMPT_WITHIN_MS ? `was to be tried again at ${String(nextAttemptAt)}` : undefined;
  }
  return untilMs === undefined ? undefined : `was not finished by ${String(sendingUntil)}`;
}

/** When a deferred item is tried again, ISO 8601; undefined for every other item. */
export function nextAttemptOf(item: Row, nowMs: number): string | undefined {
  const { status, nextAttemptAt } = item;
  if (status !== 'sending' || timeOf(nextAttemptAt) === undefined) return undefined;
  return whyStuck(item, nowMs) === undefined ? String(nextAttemptAt) : undefined;
}

/**
 * What is odd about the status of a Mail item, if Todoke never writes such a status. Such an item is not sent, and not
 * sent again, because a person may have set the status to hold it back.
 */
export function oddStatusOf({ status, sendingUntil, nextAttemptAt, messageId, error }: Row): string | undefined {
  if (isWaiting(status) || status === 'failed') return undefined;
  if (status === 'sent') {
    return messageId === undefined && error === undefined ? 'is sent, but has neither messageId nor error' : undefined;
  }
  if (status === 'sending') {
    const hasTime = timeOf(sendingUntil) !== undefined || timeOf(nextAttemptAt) !== undefined;
    return hasTime ? undefined : 'is sending, but has neither sendingUntil nor nextAttemptAt';
  }
  return `has the status ${typeof status === 'string' ? JSON.stringify(status.slice(0, 80)) : String(status)}`;
}

/** The beginning of an item's error if all of its recipients are suppressed. */
export const ALL_SUPPRESSED = 'Cannot send: every recipient is suppressed';

/** Whether an item was not sent because all of its recipients are suppressed. Nobody has to act on such an item. */
export const isSuppressed = ({ status, error }: Row): boolean =>
  status === 'failed' && typeof error === 'string' && error.startsWith(ALL_SUPPRESSED);

/** Unix milliseconds; undefined if the value is not a time. */
function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
