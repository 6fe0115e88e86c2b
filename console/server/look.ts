/** Looks again at a list that is shown already. */
import type { DayCursor } from '../../lambda/recording/day-index.ts';
import { type Cursor, LOOK_ROWS } from '../shared/api.ts';

/**
 * How much of what a list shows is read at a time, to see what came into it: late failures, too, which lie under the
 * time at which they happened. Four days are tomorrow, because clocks differ, today, and two days back: a provider
 * that gets no answer posts again for a day.
 */
export const LOOK = { limit: LOOK_ROWS, maxRead: LOOK_ROWS, maxDays: 4 };

/** Those of the rows that the page does not have as they are now, and how many it has. */
export function unknownOf<Row>(
  rows: readonly Row[],
  known: readonly string[],
  version: (row: Row) => string,
): { rows: Row[]; same: number } {
  const has = new Set(known);
  const unknown = rows.filter((row) => !has.has(version(row)));
  return { rows: unknown, same: rows.length - unknown.length };
}

/** The cursor of a list that is read by day. */
export const dayCursor = (cursor: Cursor | undefined): DayCursor | undefined =>
  cursor && 'day' in cursor ? cursor : undefined;

/** The later of two times in ISO 8601; undefined is before all. */
export const latest = (...times: readonly (string | undefined)[]): string | undefined =>
  times
    .filter((time) => time !== undefined)
    .sort()
    .at(-1);
