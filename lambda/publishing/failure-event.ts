/** Makes the events to publish from changes of Bounce. Pure. */
import { lookUp } from '../mail/verdict.ts';

type Row = Readonly<Record<string, unknown>>;

/** A row of Bounce before and after a change. `oldRow` is undefined for a new row, `row` for a deleted one. */
export interface Change {
  readonly oldRow: Row | undefined;
  readonly row: Row | undefined;
}

/**
 * The detail type of each outcome that is published. Block list changes and decisions are not failures of a message.
 */
const DETAIL_TYPES: Readonly<Record<string, string>> = {
  bounced: 'Mail Bounced',
  dropped: 'Mail Dropped',
  failed: 'Mail Failed',
  complained: 'Mail Complained',
  unrecognized: 'Event Unrecognized',
};

/**
 * Ten events of this size fit into one request, even if PutEvents accepts only 256 KB and not 1 MB, and each one fits
 * into every target. A usual event has 1 KB.
 */
const DETAIL_MAX_BYTES = 25_000;
/** In a row that is too long, a text longer than this is cut. */
const CUT_TEXT_LENGTH = 2_000;

/** Attributes that are left out of the event: the provider's other fields, and an unrecognized event. */
const NOT_PUBLISHED = ['details', 'rawEvent'];
/** Attributes that are never cut. They identify the row, and say what happened and when. */
const NEVER_CUT = ['fullMessageId', 'eventId', 'outcome', 'occurredAt', 'matched'];

/**
 * The event of a change; undefined if the change is not published. A row is published when it appears, and once more
 * when it becomes matched. A repeated post rewrites its row, and is not published.
 */
export function failureEvent(change: Change, stackName: string) {
  const { row } = change;
  if (row === undefined || !isNews(change.oldRow, row)) return undefined;
  const detailType = lookUp(DETAIL_TYPES, String(row['outcome']));
  return detailType === undefined ? undefined : { source: 'todoke', detailType, detail: detailOf(row, stackName) };
}

function isNews(oldRow: Row | undefined, row: Row): boolean {
  if (oldRow === undefined) return true;
  // `npm run replay` recognized the event.
  if (oldRow['outcome'] === 'unrecognized' && row['outcome'] !== 'unrecognized') return true;
  const becameMatched = oldRow['matched'] !== true && row['matched'] === true;
  // A rejoined row was published as matched before.
  return becameMatched && row['rejoined'] !== true;
}

/**
 * JSON of at most 25,000 bytes. If a row is longer, its long texts are cut. If that is not enough, only NEVER_CUT
 * remains.
 */
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
    // These are short: DynamoDB limits keys, the stream's filter limits `outcome`, and `matched` must be a boolean.
    attributes.filter(
      ([name, value]) => NEVER_CUT.includes(name) && (name !== 'matched' || typeof value === 'boolean'),
    ),
    { shortened: true },
  );
}
