/** Makes the range of times of a list, and its cursor. */
import type { DayCursor } from '../../lambda/recording/day-index.ts';
import type { Cursor, Range } from '../shared/api.ts';

interface Times {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The times in both ranges; undefined if there are none, because DynamoDB refuses a range that ends before it starts. */
export function boundsOf(
  filter: Times,
  range: Range | undefined,
): Record<'from' | 'to', string | undefined> | undefined {
  const from = [filter.from, range?.from]
    .filter((time) => time !== undefined)
    .sort()
    .at(-1);
  const to = [filter.to, range?.to].filter((time) => time !== undefined).sort()[0];
  return from !== undefined && to !== undefined && from > to ? undefined : { from, to };
}

/** The cursor of a list that is read by day. */
export const dayCursor = (cursor: Cursor | undefined): DayCursor | undefined =>
  cursor && 'day' in cursor ? cursor : undefined;
