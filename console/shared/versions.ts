/** Tells rows apart, and from what they were. */
import { canonicalJson } from '../../lambda/mail/json.ts';
import type { Bounce, ListedMail } from './api.ts';

/** Tells a Bounce row from all others. */
export const bounceKey = (row: { readonly fullMessageId?: unknown; readonly eventId?: unknown }): string =>
  JSON.stringify([row.fullMessageId, row.eventId]);

/** A short text that tells a row from every other, and from what it was before. Both ends make the same. */
export const versionOfBounce = (row: Bounce): string => version(row);

/** The same for a mail, as far as its log row goes: its states have a call of their own. */
export const versionOfMail = (mail: ListedMail): string => version({ ...mail, states: [], more: false });

function version(row: object): string {
  return hash(canonicalJson(Object.entries(row).filter(([, value]) => value !== undefined)));
}

/** 64 bits of a text: two FNV-1a of 32 bits with different beginnings. No secret hangs on it. */
function hash(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
    b ^= b >>> 13;
  }
  return `${(a >>> 0).toString(36)}${(b >>> 0).toString(36).padStart(7, '0')}`;
}
