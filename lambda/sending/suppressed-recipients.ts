/** Leaves the suppressed recipients out of a message. */
import { setMaxListeners } from 'node:events';
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import type { OutgoingMail } from '../mail/outgoing-mail.ts';
import { mailboxKeys } from '../recipients/lookup.ts';
import { readSuppression, type Suppressed, suppressedText } from '../recipients/suppression.ts';
import { HANDOVER_MS, type Invocation } from './invocation.ts';
import { ALL_SUPPRESSED } from './stuck.ts';

/** A recipient that does not get the message. */
export interface LeftOut {
  readonly recipient: string;
  /** Why; a part of a sentence. */
  readonly reason: string;
}

export interface CheckedMail {
  /** As the item has it: this is what is logged. */
  readonly mail: OutgoingMail;
  /** The same with the recipients that get it. `to` may be empty. */
  readonly sendable: OutgoingMail;
  readonly leftOut: readonly LeftOut[];
}

/** A reply of a server may be long, and the item's error must still have room for what to do. */
const REASON_MAX_LENGTH = 300;

/** Queries at one time. The SDK opens 50 connections. */
const LOOKUPS = 48;

/**
 * Looks every recipient up in Bounce, once. Looks nobody up if the setting `suppression` is off, or the item has
 * `sendAnyway`.
 *
 * @throws whatever the SDK throws after its own retries. Then nothing may be sent
 */
export async function leaveOutSuppressed(
  mail: OutgoingMail,
  { suppressions, endsAtMs }: Invocation,
): Promise<CheckedMail> {
  if (suppressions === undefined || mail.sendAnyway) return { mail, sendable: mail, leftOut: [] };
  const signal = AbortSignal.timeout(Math.max(0, endsAtMs - HANDOVER_MS - Date.now()));
  // Each request in flight listens to it. Node warns of a leak from the eleventh on.
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

/** So many are named with their reasons: the item's error must still have room for what to do. */
const MAX_NAMED = 3;

/** Who does not get the message and why, and how to send it all the same. */
export function allLeftOutText(leftOut: readonly LeftOut[]): string {
  const named = leftOut.slice(0, MAX_NAMED).map(({ recipient, reason }) => `${recipient} is ${reason}`);
  const others = leftOut.length - named.length;
  const [first] = leftOut;
  return `${ALL_SUPPRESSED}: ${named.join('; ')}${others > 0 ? `; and ${others} more` : ''}. To send it all the same, set sendAnyway to true; to allow an address, run npm run suppressions -- remove ${first?.recipient}`;
}
