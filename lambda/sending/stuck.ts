/** Which items will not be sent by themselves. */
import type { Row } from '../aws/dynamodb.ts';

/**
 * How long an item may be without a status: send-mail claims it within seconds, and in a burst within a minute. Nothing
 * in an item says when it was put, so whoever looks must see it without a status twice, this long apart.
 */
export const NORMAL_WAIT_MS = 60_000;
/**
 * A claim that lapsed lately may be taken up again: its record's next delivery comes after a pause of Lambda's, and where a
 * batch was split after a crash, after the deliveries of its other half, of three minutes each.
 */
const TAKEN_UP_AGAIN_WITHIN_MS = 15 * 60_000;
/** The queue delivers a deferred item at its next attempt. It may be late, but not by this much. */
const NEXT_ATTEMPT_WITHIN_MS = 30 * 60_000;

/** What the functions below read of an item, and what names it. */
export const STANDING_ATTRIBUTES = ['id', 'status', 'sendingUntil', 'nextAttemptAt', 'messageId', 'error'] as const;

/** Whether an item with this status waits to be sent: there is none, or it was emptied. */
export const isWaiting = (status: unknown): boolean => status === undefined || status === null || status === '';

/**
 * Why a Mail item will not be sent unless somebody sees to it, in a few words; undefined where it will, or was. An item
 * without status is no such item by its attributes: see NORMAL_WAIT_MS.
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
 * What is odd about the status of a Mail item, if Todoke never writes it so. Such an item is neither sent nor sent again:
 * somebody may have set the status to hold it back.
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

/** How the error of an item begins whose recipients are all suppressed. */
export const ALL_SUPPRESSED = 'Cannot send: every recipient is suppressed';

/** Whether an item was not sent because its recipients are all suppressed: nobody has to see to that. */
export const isSuppressed = ({ status, error }: Row): boolean =>
  status === 'failed' && typeof error === 'string' && error.startsWith(ALL_SUPPRESSED);

/** Unix milliseconds; undefined for what is no time. */
function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
