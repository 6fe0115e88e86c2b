/** Makes the lines of the access log: who looked for whom, and who changed what. */
import { createHmac } from 'node:crypto';
import { mailboxKey } from '../../lambda/mail/address.ts';
import { readLookup } from '../../lambda/recipients/lookup.ts';
import { CALLS, type CallName } from '../shared/api.ts';
import { addressOf, type Claims } from './roles.ts';

/**
 * The line of a call; undefined for a call that has none. It has the searched address only as a keyed hash: see
 * docs/console.md, "Who looked somebody up".
 *
 * @param key of the hash
 */
export function accessLine(
  { name, body, claims, status }: { name: CallName; body: unknown; claims: Claims; status: number },
  key: string,
): Readonly<Record<string, unknown>> | undefined {
  const call = CALLS[name];
  const { email, id } = searched(body);
  const isBrowsing = name === 'bounces' && email === undefined;
  if ((!('logged' in call) || isBrowsing) && status !== 403) return undefined;
  return {
    call: name,
    status,
    subject: String(claims['sub']),
    user: addressOf(claims),
    searched: email === undefined ? undefined : hashOfAddress(email, key),
    item: name === 'resend' ? id : undefined,
  };
}

/** @returns 64 hex digits; the same for every form of the address */
export const hashOfAddress = (email: string, key: string): string =>
  createHmac('sha256', key).update(mailboxKey(email)).digest('hex');

function searched(body: unknown): { email?: string | undefined; id?: string | undefined } {
  const { email, text, filter, id } = record(body);
  const [wanted] = [email, text, record(filter)['search']].filter((value) => typeof value === 'string');
  return { email: wanted === undefined ? undefined : mailboxIn(wanted), id: typeof id === 'string' ? id : undefined };
}

/** The address in a text. A text with `@` counts even if it cannot be read as an address, because it is still searched. */
const mailboxIn = (text: string): string | undefined =>
  readLookup(text).email ?? (text.includes('@') ? text.trim() : undefined);

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};
