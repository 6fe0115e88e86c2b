/** Which changes of Bounce are published, and as what. Pure. */
import { lookUp } from '../mail/verdict.ts';

type Row = Readonly<Record<string, unknown>>;

/** A row of Bounce before and after a change; undefined where it was not there, or is gone. */
export interface Change {
  readonly oldRow: Row | undefined;
  readonly row: Row | undefined;
}

/** What is published. Changes to a block list and decisions about an address are no failures of a message. */
const DETAIL_TYPES: Readonly<Record<string, string>> = {
  bounced: 'Mail Bounced',
  dropped: 'Mail Dropped',
  failed: 'Mail Failed',
  complained: 'Mail Complained',
  unrecognized: 'Event Unrecognized',
};

/**
 * Ten entries of this size fit into one request, also where PutEvents still takes 256 KB and not 1 MB, and each event fits
 * into every target. A usual one has 1 KB.
 */
const DETAIL_MAX_BYTES = 25_000;

/** Left out of the event: what the provider sent besides, and the event that was not understood. */
const NOT_PUBLISHED = ['details', 'rawEvent'];
/** Always whole: what tells an event from another, and what a row is. */
const NEVER_CUT = ['fullMessageId', 'eventId', 'outcome', 'occurredAt', 'matched'];

/**
 * The event of a change; undefined if the change is no news. A row is published when it appears, and once more when it
 * becomes matched. A repeated post rewrites the row and is no news.
 */
export function failureEvent(change: Change, stackName: string) {
  const { row } = change;
  const detailType = row && lookUp(DETAIL_TYPES, String(row['outcome']));
  if (row === undefined || detailType === undefined || !isNews(change)) return undefined;
  return { source: 'todoke', detailType, detail: detailOf(row, stackName) };
}

function isNews({ oldRow, row }: Change): boolean {
  if (oldRow === undefined) return true;
  // `npm run replay` recognized it.
  if (oldRow['outcome'] === 'unrecognized' && row?.['outcome'] !== 'unrecognized') return true;
  const becameMatched = oldRow['matched'] !== true && row?.['matched'] === true;
  // A row that was put back to unmatched was published as matched before.
  return becameMatched && row?.['rejoined'] !== true;
}

/** JSON of at most 25,000 bytes. What is too long is cut, first in long texts, then in all, then left out. */
function detailOf(row: Row, stackName: string): string {
  const attributes = Object.entries(row).filter(([name]) => !NOT_PUBLISHED.includes(name));
  const whole = JSON.stringify({ stackName, ...Object.fromEntries(attributes) });
  if (Buffer.byteLength(whole) <= DETAIL_MAX_BYTES) return whole;
  for (const maxLength of [2_000, 100]) {
    const cut = attributes.map(([name, value]) => [
      name,
      typeof value === 'string' && !NEVER_CUT.includes(name) ? value.slice(0, maxLength).toWellFormed() : value,
    ]);
    const detail = JSON.stringify({ stackName, ...Object.fromEntries(cut), shortened: true });
    if (Buffer.byteLength(detail) <= DETAIL_MAX_BYTES) return detail;
  }
  const least = attributes.filter(([name]) => NEVER_CUT.includes(name));
  return JSON.stringify({ stackName, ...Object.fromEntries(least), shortened: true });
}
