/** Finds failures that were reported twice, so that they count once. */

interface Failure {
  readonly fullMessageId?: unknown;
  readonly outcome?: unknown;
}

/**
 * Leaves out each `failed` row that another failure of the same message and recipient explains: Customers Mail Cloud
 * reports a hard failure first as a delivery that failed, and a second later as a bounce.
 */
export function withoutFirstNotices<Row extends Failure>(rows: readonly Row[]): Row[] {
  const explained = explainedIn(rows);
  return rows.filter((row) => !isFirstNotice(row, explained));
}

/** The full message ids with a row that says how delivery failed. */
export const explainedIn = (rows: readonly Failure[]): ReadonlySet<unknown> =>
  new Set(
    rows
      .filter(({ outcome }) => outcome === 'bounced' || outcome === 'dropped')
      .map(({ fullMessageId }) => fullMessageId),
  );

export const isFirstNotice = ({ outcome, fullMessageId }: Failure, explained: ReadonlySet<unknown>): boolean =>
  outcome === 'failed' && explained.has(fullMessageId);
