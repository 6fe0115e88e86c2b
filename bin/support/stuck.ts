import type { Row } from '../../lambda/aws/tables.ts';

/** An item that has waited longer was missed: its record was given up, or came before the function was there. */
const MISSED_AFTER_MS = 3_600_000;

/** Why a Mail item will not be sent unless somebody sees to it, in a few words; undefined where it will, or was. */
export function whyStuck(item: Row, nowMs: number): string | undefined {
  if (item['status'] === 'failed') return 'failed';
  if (item['status'] === 'sending') {
    return Date.parse(String(item['sendingUntil'])) < nowMs
      ? `was being sent until ${String(item['sendingUntil'])}`
      : undefined;
  }
  if (item['status'] !== undefined && item['status'] !== null && item['status'] !== '') return undefined;
  const triedMs = Date.parse(String(item['resentAt']));
  return Number.isNaN(triedMs) || triedMs < nowMs - MISSED_AFTER_MS ? 'has no status' : undefined;
}
