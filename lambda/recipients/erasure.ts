/** Decides how one person is erased from a row. */
import type { Row } from '../aws/dynamodb.ts';
import { mailboxKey, readAddresses } from '../mail/address.ts';
import { EVENT_ENTRY_PREFIX } from '../recording/entries.ts';
import { mailboxKeys } from './lookup.ts';

export const PERSONAL_TABLES = ['mail', 'sentLog', 'bounce'] as const;
export type PersonalTable = (typeof PERSONAL_TABLES)[number];

/** What to do with a row to erase the person. */
export type Erasure =
  /** The row is about this person only. */
  | { readonly kind: 'delete' }
  /** The row names other recipients, too. `set` has its attributes without this person; undefined ones are removed. */
  | { readonly kind: 'update'; readonly set: Readonly<Record<string, string | undefined>> }
  /** The row is not about this person, but contains the address: as the sender, or in a text. Nothing is erased. */
  | { readonly kind: 'mention' };

const RECIPIENT_FIELDS = ['to', 'cc', 'bcc'] as const;

/**
 * @param keys every form of the person's address; see mailboxKeys
 * @returns undefined if the row does not contain the address
 */
export function erasureOf(table: PersonalTable, row: Row, keys: readonly string[]): Erasure | undefined {
  const erasure = table === 'bounce' ? ofBounce(row, keys) : ofMail(row, keys);
  return erasure ?? (mentions(row, keys) ? { kind: 'mention' } : undefined);
}

function ofBounce({ toEmail, rawEvent, fullMessageId }: Row, keys: readonly string[]): Erasure | undefined {
  const isOwn =
    isIn(toEmail, keys) ||
    // An unrecognized event has no recipient of its own.
    (toEmail === undefined && mentions({ rawEvent }, keys)) ||
    keys.some((key) => fullMessageId === `recipient#${key}`);
  return isOwn ? { kind: 'delete' } : undefined;
}

/** The erasure for an event, a log row or an item. */
function ofMail(row: Row, keys: readonly string[]): Erasure | undefined {
  if (String(row['entry']).startsWith(EVENT_ENTRY_PREFIX)) {
    return isIn(row['recipient'], keys) ? { kind: 'delete' } : undefined;
  }
  const set: Record<string, string | undefined> = {};
  let hasOthers = false;
  for (const field of RECIPIENT_FIELDS) {
    const addresses = readAddresses(row[field]);
    const rest = addresses.filter(({ email }) => !isIn(email, keys));
    hasOthers ||= rest.length > 0;
    if (rest.length < addresses.length) set[field] = rest.length > 0 ? JSON.stringify(rest) : undefined;
  }
  if (Object.keys(set).length === 0) return undefined;
  if (!hasOthers) return { kind: 'delete' };
  const { error } = row;
  // The error names recipients that were refused.
  if (typeof error === 'string' && mentions({ error }, keys)) set['error'] = error.replace(patternOf(keys), '[erased]');
  return { kind: 'update', set };
}

/** The row as the person may read it: without the other recipients, also where an error names them. */
export function ownPartOf(row: Row, keys: readonly string[]): Row {
  const own: Record<string, unknown> = { ...row };
  const others: string[] = [];
  for (const field of RECIPIENT_FIELDS) {
    if (row[field] === undefined) continue;
    const addresses = readAddresses(row[field]);
    own[field] = addresses.filter(({ email }) => isIn(email, keys));
    others.push(...addresses.flatMap(({ email }) => (isIn(email, keys) ? [] : mailboxKeys(email))));
  }
  const { error } = row;
  if (typeof error === 'string' && others.length > 0)
    own['error'] = error.replace(patternOf(others), '[other recipient]');
  return own;
}

/** The row after its erasure. */
export const erased = (row: Row, set: Readonly<Record<string, string | undefined>>): Row => ({ ...row, ...set });

const isIn = (email: unknown, keys: readonly string[]): boolean =>
  typeof email === 'string' && keys.includes(mailboxKey(email));

/** Whether the address is anywhere in the row, in any of its forms. */
export function mentions(row: Row, keys: readonly string[]): boolean {
  const text = JSON.stringify(row, (_, value) => (value instanceof Set ? [...value] : value));
  // JSON writes a line break as `\n`. Its letter would look like a part of an address after it.
  return [text, text.replace(/\\[bfnrt]/g, ' ')].some((form) => patternOf(keys).test(form));
}

/** Matches the address, but not as a part of a longer one. */
const patternOf = (keys: readonly string[]): RegExp => {
  const escaped = keys.map((key) => key.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  return new RegExp(`(?<![\\p{L}\\p{N}.+_-])(?:${escaped.join('|')})(?!\\.?[\\p{L}\\p{N}-])`, 'giu');
};
