/** Leaves the suppressed recipients out of a message. */
import { setMaxListeners } from 'node:events';
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import type { OutgoingMail } from '../mail/outgoing-mail.ts';
import { mailboxKeys } from '../recipients/lookup.ts';
import { readSuppression } from '../recipients/read-suppression.ts';
import { type Suppressed, suppressedText } from '../recipients/suppression.ts';
import { HANDOVER_MS, type Invocation } from './invocation.ts';
import { ALL_SUPPRESSED } from './stuck.ts';

/** A recipient that does not get the message. */
export interface LeftOut {
  readonly recipient: string;
  /** Why; a part of a sentence. */
  readonly reason: string;
}

export interface CheckedMail {
  /** The mail with all recipients of the item. The log row names all of them. */
  readonly mail: OutgoingMail;
  /** The mail with only the recipients that get it. `to` may be empty. */
  readonly sendable: OutgoingMail;
  readonly leftOut: readonly LeftOut[];
}

/** A reply of a server may be long. The item's error must also have room for what to do. */
const REASON_MAX_LENGTH = 300;

/** Queries that run at the same time. The SDK opens at most 50 connections. */
const LOOKUPS = 48;

/**
 * Looks every recipient up in Bounce. Looks nobody up if the setting `suppression` is off, or the item has
 * `sendAnyway`.
 *
 * @throws the error of the SDK, after its own retries. In that case nothing may be sent
 */
export async function leaveOutSuppressed(
  mail: OutgoingMail,
  { suppressions, endsAtMs }: Invocation,
): Promise<CheckedMail> {
  if (suppressions === undefined || mail.sendAnyway) return { mail, sendable: mail, leftOut: [] };
  const signal = AbortSignal.timeout(Math.max(0, endsAtMs - HANDOVER_MS - Date.now()));
  // Each running request listens to the signal. Node would warn of a leak from the eleventh listener on.
  setMaxListeners(0, signal);
  const found = new Map<string, Suppressed>();
  const recipients = recipientsOf(mail);
  await forEachConcurrently(
    recipients,
    async (email) => {
      const suppressed = await readSuppression(suppressions, mailboxKeys(email), signal);
      if (suppressed) found.set(email, suppressed);
    },
    LOOKUPS,
  );
  const stays = ({ email }: { readonly email: string }) => !found.has(email);
  return {
    mail,
    sendable: { ...mail, to: mail.to.filter(stays), cc: mail.cc.filter(stays), bcc: mail.bcc.filter(stays) },
    leftOut: recipients.flatMap((recipient) => {
      const suppressed = found.get(recipient);
      return suppressed ? [{ recipient, reason: suppressedText(suppressed).slice(0, REASON_MAX_LENGTH) }] : [];
    }),
  };
}

export const recipientsOf = ({ to, cc, bcc }: OutgoingMail): string[] =>
  [...to, ...cc, ...bcc].map(({ email }) => email);

/** At most this many recipients are named, because the item's error must also have room for what to do. */
const MAX_NAMED = 3;

/** Says who does not get the message and why, and how to send it nevertheless. */
export function allLeftOutText(leftOut: readonly LeftOut[]): string {
  const named = leftOut.slice(0, MAX_NAMED).map(({ recipient, reason }) => `${recipient} is ${reason}`);
  const others = leftOut.length - named.length;
  const [first] = leftOut;
  return `${ALL_SUPPRESSED}: ${named.join('; ')}${others > 0 ? `; and ${others} more` : ''}. To send it all the same, set sendAnyway to true; to allow an address, run npm run suppressions -- remove ${first?.recipient}`;
}
