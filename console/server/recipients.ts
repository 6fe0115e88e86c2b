/** Reads the mails to one recipient, decides about an address, and searches for a recipient or a mail. */
import { mailboxKey, readAddresses } from '../../lambda/mail/address.ts';
import { decide } from '../../lambda/recipients/decision.ts';
import { findById } from '../../lambda/recipients/find.ts';
import { type FoundMail, foundMail } from '../../lambda/recipients/found-mail.ts';
import {
  byTimeDescending,
  hasHistory,
  readHistory,
  readRecentMails,
  silentMails,
} from '../../lambda/recipients/history.ts';
import { mailboxKeys, readLookup } from '../../lambda/recipients/lookup.ts';
import { readSuppression } from '../../lambda/recipients/read-suppression.ts';
import type { Tables } from '../../lambda/recipients/tables.ts';
import type { Answered, Asked, RecipientMail } from '../shared/api.ts';
import { Refused } from './refused.ts';

/**
 * A page of the mails to an address that have an event. With `silent`, the mails of the last days without an event instead:
 * no index has these by recipient, so they take many more requests.
 */
export async function recipient(
  tables: Tables,
  { email, cursor, silent = false }: Asked<'recipient'>,
): Promise<Answered<'recipient'>> {
  const keys = mailboxKeys(email);
  const nowMs = Date.now();
  const [suppressed, recent, history] = await Promise.all([
    readSuppression(tables, keys),
    silent ? readRecentMails(tables, keys, nowMs) : undefined,
    readHistory(tables, keys, cursor),
  ]);
  const mails = recent ? silentMails(recent, history).sort(byTimeDescending) : history.mails;
  return {
    email: mailboxKey(email),
    suppressed,
    mails: mails.map((mail) => recipientMail(foundMail(mail, { ...tables, keys, nowMs }))),
    ...(!silent && history.cursor && { cursor: history.cursor }),
  };
}

function recipientMail({ messageId = '', sentAt = '', from, recipients, ...mail }: FoundMail): RecipientMail {
  const [own] = recipients;
  const { provider, mailId, subject } = mail;
  return {
    messageId,
    sentAt,
    provider,
    mailId,
    subject,
    ...(from && { from }),
    to: [],
    states: recipients.map(({ email, name, field, state }) => ({
      email,
      state,
      ...(name !== undefined && { name }),
      ...(field !== undefined && { field }),
    })),
    more: false,
    occurredAt: own?.occurredAt,
    reason: own?.reason,
    bounceClass: own?.bounceClass,
  };
}

/** Suppresses or allows an address. @returns why it is suppressed now, or null */
export async function decideOn(tables: Tables, { email, outcome }: Asked<'decide'>): Promise<Answered<'decide'>> {
  const [address] = readAddresses(email);
  if (address === undefined) throw new Refused(400, 'Cannot suppress or allow: this is not an address');
  const reason = 'decided in the console';
  const { now } = await decide(tables, { email: address.email, outcome, reason, atMs: Date.now() });
  return { suppressed: now };
}

/** The view for a text. An address leads to its page even if no mail to it is known; the page says so. */
export async function search(tables: Tables, { text }: Asked<'search'>): Promise<Answered<'search'>> {
  const lookup = readLookup(text);
  const { email, idFirst } = lookup;
  if (email !== undefined && !idFirst && (await hasHistory(tables, mailboxKeys(email)))) {
    return { view: 'recipient', open: [email] };
  }
  const found = await findById(tables, lookup);
  if (found) return { view: 'mail', open: 'id' in found ? ['item', found.id] : ['sent', found.messageId] };
  return email === undefined ? { view: 'mail', open: ['sent', text.trim()] } : { view: 'recipient', open: [email] };
}
