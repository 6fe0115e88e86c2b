/** Decides by the Bounce rows of an address whether it is suppressed. */
import type { Row } from '../aws/dynamodb.ts';
import { OUTCOMES } from '../mail/verdict.ts';

/** Why an address gets no mail. */
export interface Suppressed {
  /** The time of the row that decides; ISO 8601. */
  readonly since: string;
  readonly reason: string;
  /** The kind of row that decides. */
  readonly by: 'bounce' | 'complaint' | 'decision';
}

/** `undecided`: no row decides, so the address is not suppressed. */
export type Suppression = Suppressed | 'allowed' | 'undecided';

/**
 * Whether an address is suppressed, by its rows in any order. The newest row that decides counts. A hard failure, a
 * complaint and a decision to suppress mean: suppressed. A decision to allow means: allowed. Other rows decide nothing.
 * Nor does the row that is written when a recipient is left out because the address is suppressed.
 */
export function suppressionOf(rows: Iterable<Row>): Suppression {
  const deciding = decidingOf(rows) ?? {};
  const by = decides(deciding);
  if (by === undefined) return 'undecided';
  return by === 'allowed' ? by : { since: timeOf(deciding), reason: String(deciding['reason'] ?? ''), by };
}

/** The row that decides; undefined if none does. */
export function decidingOf(rows: Iterable<Row>): Row | undefined {
  let deciding: Row | undefined;
  for (const row of rows) if (decides(row) !== undefined && outranks(row, deciding)) deciding = row;
  return deciding;
}

/** What a row decides; undefined if it decides nothing. */
export function decides({ outcome, bounceClass, type }: Row): Suppressed['by'] | 'allowed' | undefined {
  if (outcome === 'allowed') return 'allowed';
  if (outcome === 'suppressed') return 'decision';
  if (type === 'suppressed') return undefined;
  if (outcome === 'complained') return 'complaint';
  return bounceClass === 'hard' && OUTCOMES.some((failure) => failure === outcome) ? 'bounce' : undefined;
}

/**
 * Whether `row` counts rather than `other`. Both decide, and both are of one address. If they have the same time, a
 * person's decision counts, because providers report whole seconds, and an index has such rows in any order.
 */
export function outranks(row: Row, other: Row | undefined): boolean {
  if (other === undefined || timeOf(row) > timeOf(other)) return true;
  return timeOf(row) === timeOf(other) && isDecision(row);
}

const isDecision = ({ outcome }: Row) => outcome === 'allowed' || outcome === 'suppressed';
export const timeOf = (row: Row) => String(row['occurredAt'] ?? '');

const WORDS = { bounce: 'a hard bounce', complaint: 'a complaint', decision: 'a decision' } as const;

/** `suppressed since 2026-11-24T10:00:00.000Z by a hard bounce: 550 5.1.1 …` */
export const suppressedText = ({ since, by, reason }: Suppressed): string =>
  `suppressed since ${since} by ${WORDS[by]}${reason && `: ${reason}`}`;
