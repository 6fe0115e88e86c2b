/** Applies the filters of event source mappings. */
import * as z from 'zod';
import { jsonOrUndefined } from '../json.ts';

/** One alternative in a pattern's list, as far as the stack's filters go. */
const condition = z.union([z.string(), z.number(), z.boolean(), z.null(), z.strictObject({ exists: z.boolean() })]);
type Condition = z.infer<typeof condition>;

/** A leaf is a list of alternatives; everything above it is a field's name. */
type Pattern = { [field: string]: Pattern | Condition[] };
const pattern: z.ZodType<Pattern> = z.lazy(() => z.record(z.string(), z.union([z.array(condition).min(1), pattern])));

/** Whether the function receives a record. */
type EventFilter = (record: unknown) => boolean;

/**
 * The filter of an event source mapping: a record passes if it matches one of the patterns, or if there is none.
 *
 * @param patterns JSON texts, as in `FilterCriteria.Filters[].Pattern`
 * @throws Error that shows the pattern which uses something that is not known here.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
 */
export function eventFilter(patterns: readonly string[]): EventFilter {
  const parsed = patterns.map((text) => {
    const result = pattern.safeParse(jsonOrUndefined(text));
    if (!result.success) throw new Error(`Cannot use the event filter ${text}: ${z.prettifyError(result.error)}`);
    return result.data;
  });
  return (record) => parsed.length === 0 || parsed.some((alternative) => matches(alternative, record));
}

function matches(pattern: Pattern, value: unknown): boolean {
  return Object.entries(pattern).every(([field, expected]) => {
    const actual = isObject(value) ? value[field] : undefined;
    if (!Array.isArray(expected)) return matches(expected, actual);
    // A list in the record matches if one of its items does. A map is not a leaf: only `exists: false` matches it.
    const leaves = Array.isArray(actual) ? actual : [actual];
    return expected.some((condition) => leaves.some((leaf) => isMet(condition, leaf)));
  });
}

function isMet(condition: Condition, leaf: unknown): boolean {
  if (typeof condition !== 'object' || condition === null) return leaf === condition;
  return (leaf !== undefined && !isObject(leaf)) === condition.exists;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
