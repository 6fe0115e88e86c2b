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
/** In a row that is too long, a text longer than this is cut. */
const CUT_TEXT_LENGTH = 2_000;

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

/** JSON of at most 25,000 bytes. Of a row that is too long the texts are cut; if that is not enough, all but its keys is left out. */
function detailOf(row: Row, stackName: string): string {
  const json = (attributes: [string, unknown][], more: object = {}) =>
    JSON.stringify({ stackName, ...Object.fromEntries(attributes), ...more });
  const fits = (detail: string) => Buffer.byteLength(detail) <= DETAIL_MAX_BYTES;
  const attributes = Object.entries(row).filter(([name]) => !NOT_PUBLISHED.includes(name));
  const whole = json(attributes);
  if (fits(whole)) return whole;
  const cut = json(
    attributes.map(([name, value]) => [
      name,
      typeof value === 'string' && !NEVER_CUT.includes(name) ? value.slice(0, CUT_TEXT_LENGTH).toWellFormed() : value,
    ]),
    { shortened: true },
  );
  if (fits(cut)) return cut;
  return json(
    // DynamoDB bounds the others: as keys, or by the stream's filter.
    attributes.filter(
      ([name, value]) => NEVER_CUT.includes(name) && (name !== 'matched' || typeof value === 'boolean'),
    ),
    { shortened: true },
  );
}
