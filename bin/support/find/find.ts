/** Reads what `npm run find` answers. */
import { findById } from '../../../lambda/recipients/find.ts';
import { type FoundMail, foundMail } from '../../../lambda/recipients/found-mail.ts';
import {
  byTimeDescending,
  type History,
  type RecipientMail,
  readHistory,
  readRecentMails,
  silentMails,
} from '../../../lambda/recipients/history.ts';
import { mailboxKeys, readLookup } from '../../../lambda/recipients/lookup.ts';
import { nearest } from '../../../lambda/recipients/nearest.ts';
import { readSuppression } from '../../../lambda/recipients/read-suppression.ts';
import { readStory } from '../../../lambda/recipients/story.ts';
import type { Suppressed } from '../../../lambda/recipients/suppression.ts';
import type { Tables } from '../../../lambda/recipients/tables.ts';

export interface Answer {
  /** If the text is an address. */
  readonly recipient?: { readonly email: string; readonly suppressed: Suppressed | null };
  /** Newest first. */
  readonly mails: readonly FoundMail[];
  /** Whether there are older mails to the recipient than these. */
  readonly goesOn: boolean;
  /** ISO 8601: mails without an event were searched from this time on. */
  readonly back?: string;
  /** A similar address to which mail was sent lately: the text may be a misspelling of it. */
  readonly nearest?: string | undefined;
}

export interface FindOptions {
  readonly limit: number;
  readonly nowMs: number;
}

/** Finds the mails to an address, or the mail with an id. */
export async function find(tables: Tables, text: string, options: FindOptions): Promise<Answer> {
  const lookup = readLookup(text);
  const byId = async (): Promise<Answer | undefined> => {
    const found = await findById(tables, lookup);
    return found && { mails: [foundMail(await readStory(tables, found), { ...tables, ...options })], goesOn: false };
  };
  if (lookup.email === undefined) return (await byId()) ?? { mails: [], goesOn: false };
  if (lookup.idFirst) {
    const answer = await byId();
    if (answer) return answer;
  }
  const answer = await mailsTo(tables, lookup.email, options);
  return answer.mails.length > 0 || lookup.idFirst ? answer : ((await byId()) ?? answer);
}

async function mailsTo(tables: Tables, email: string, options: FindOptions): Promise<Answer> {
  const keys = mailboxKeys(email);
  const [suppressed, recent, history] = await Promise.all([
    readSuppression(tables, keys),
    readRecentMails(tables, keys, options.nowMs),
    readMails(tables, keys, options.limit),
  ]);
  const mails = [...history.mails, ...silentMails(recent, history)].sort(byTimeDescending);
  return {
    recipient: { email, suppressed },
    mails: mails.slice(0, options.limit).map((mail) => foundMail(mail, { ...tables, ...options, keys })),
    goesOn: history.cursor !== undefined || mails.length > options.limit,
    back: recent.back,
    ...(mails.length === 0 && { nearest: nearest(email, recent.seen) }),
  };
}

/** Reads pages until there are this many mails. */
async function readMails(tables: Tables, keys: readonly string[], limit: number): Promise<History> {
  const mails = new Map<string, RecipientMail>();
  let page: History | undefined;
  do {
    page = await readHistory(tables, keys, page?.cursor);
    for (const mail of page.mails) {
      const { events = [], bounces = [] } = mails.get(mail.messageId) ?? {};
      mails.set(mail.messageId, {
        ...mail,
        events: [...events, ...mail.events],
        bounces: [...bounces, ...mail.bounces],
      });
    }
  } while (page.cursor !== undefined && mails.size < limit);
  return { ...page, mails: [...mails.values()] };
}
