/** Which items will not be sent by themselves. */
import type { Row } from '../aws/dynamodb.ts';

/** An item that has waited longer was missed: its record was given up, or came before the function was there. */
const MISSED_AFTER_MS = 3_600_000;
/**
 * A claim that lapsed lately may be taken up again: its record's next delivery comes after a pause of Lambda's, and where a
 * batch was split after a crash, after the deliveries of its other half, of three minutes each.
 */
const TAKEN_UP_AGAIN_WITHIN_MS = 15 * 60_000;

/** Whether an item with this status waits to be sent: there is none, or it was emptied. */
export const isWaiting = (status: unknown): boolean => status === undefined || status === null || status === '';

/** Why a Mail item will not be sent unless somebody sees to it, in a few words; undefined where it will, or was. */
export function whyStuck(item: Row, nowMs: number): string | undefined {
  const { status, sendingUntil, resentAt } = item;
  if (status === 'failed') return 'failed';
  if (status === 'sending') {
    return Date.parse(String(sendingUntil)) < nowMs - TAKEN_UP_AGAIN_WITHIN_MS
      ? `was being sent until ${String(sendingUntil)}`
      : undefined;
  }
  if (!isWaiting(status)) return undefined;
  const triedMs = Date.parse(String(resentAt));
  return Number.isNaN(triedMs) || triedMs < nowMs - MISSED_AFTER_MS ? 'has no status' : undefined;
}
