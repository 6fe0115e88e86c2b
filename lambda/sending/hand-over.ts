/** Hands a claimed mail to its provider, and logs it. */

import { isInvalidItem } from '../aws/dynamodb.ts';
import { errorFields, errorName, log } from '../aws/log.ts';
import type { StreamRecord } from '../aws/stream-record.ts';
import { messageIdFor } from '../mail/message-id.ts';
import type { OutgoingMail } from '../mail/outgoing-mail.ts';
import { HandoverError } from '../providers/sender.ts';
import { type Invocation, RESERVE_MS } from './invocation.ts';
import type { Claim, SendingResult } from './mail-table.ts';
import type { Pause } from './places.ts';
import { persist, retryHandover } from './retry.ts';
import type { SentLog } from './sent-log.ts';

/** A mail whose sending was begun this often without coming to an end is given up; so is one that its mailboxes put off. */
export const MAX_ATTEMPTS = 5;
/** What waited too long is tried for so long, once: in a long outage all that waits behind it must have its turn in time. */
const LAST_TRY_FOR_MS = 5_000;

/** A delivery of an item's record that has claimed the item. */
export interface Beginning {
  readonly record: StreamRecord;
  readonly claim: Claim;
  /** The provider has had its time: what it does not take now ends as failed. */
  readonly isLast: boolean;
}

/** Whether a handover that failed is worth another delivery. */
export function mayPass({ kind, ofMailboxes }: HandoverError, { claim, isLast }: Beginning): boolean {
  return kind === 'temporary' && !isLast && (!ofMailboxes || claim.attempts < MAX_ATTEMPTS);
}

/**
 * Hands a mail over, tried again while that is worth it, and writes its log row and who was refused.
 *
 * @returns that it was sent, and what of it could not be logged
 * @throws HandoverError where it was not sent
 */
export async function handOver(
  beginning: Beginning,
  mail: OutgoingMail,
  { senders, sent, endsAtMs }: Invocation,
  pause: Pause,
): Promise<SendingResult> {
  const { record, isLast } = beginning;
  const chosenId = messageIdFor(`${record.eventId} ${record.writtenAtMs} ${mail.id}`, domainOf(mail.from.email));
  const sender = senders[mail.provider];
  const deadlineMs = endsAtMs - RESERVE_MS;

  // Not now: a record that comes again after a crash must tell of a refusal in the place where it was told of.
  const refusedAtMs = record.writtenAtMs;
  let isLogged = false;
  const handOverOnce = async () => {
    // Where the sender chooses the Message-ID, the mail is logged before it leaves: no event can come before its log row.
    if (sender.choosesMessageId && !isLogged) {
      await logBeforehand(mail, chosenId, sent);
      isLogged = true;
    }
    return sender.send(mail, chosenId);
  };
  const triedUntilMs = isLast ? Math.min(deadlineMs, Date.now() + LAST_TRY_FOR_MS) : deadlineMs;
  const { messageId, refused } = await retryHandover(handOverOnce, triedUntilMs, pause).catch(async (error) => {
    if (isLogged && error instanceof HandoverError && !mayPass(error, beginning)) {
      const isOurFault = error.kind === 'unauthorized';
      await sent.logRefusals(mail, chosenId, refusalsOfAll(mail, error.message), refusedAtMs, { isOurFault });
    }
    throw error;
  });

  // The mail is out. Whatever happens now, it must be written down and must not go out again.
  const sentAtMs = Date.now();
  const problems = refused.map(({ recipient, reply }) => `${recipient} was refused: ${reply}`);
  if (messageId === undefined) {
    log('error', 'Cannot log a mail that was sent: its provider named no message id', { mailId: mail.id });
    problems.push('its provider named no message id: its events cannot be joined');
  } else {
    try {
      await persist(deadlineMs + RESERVE_MS / 2, async () => {
        if (!isLogged) await sent.logMail(mail, messageId, sentAtMs);
        await sent.logRefusals(mail, messageId, refused, refusedAtMs);
      });
    } catch (error) {
      log('error', 'Cannot log a mail that was sent', { mailId: mail.id, messageId, ...errorFields(error) });
      problems.push('it could not be logged: its events will be unmatched');
    }
  }
  const error = problems.length === 0 ? undefined : `Sent, but ${problems.join('; ')}`;
  return { status: 'sent', messageId, sentAt: new Date(sentAtMs).toISOString(), error };
}

/** @throws HandoverError where storage does not take it: it is waited for as a provider is, or has refused the mail */
async function logBeforehand(mail: OutgoingMail, messageId: string, sent: SentLog): Promise<void> {
  try {
    await sent.logMail(mail, messageId, Date.now());
  } catch (error) {
    const kind = isInvalidItem(error) ? 'refused' : 'temporary';
    throw new HandoverError(kind, `Cannot log the mail, so it was not sent: ${errorName(error)}`, { cause: error });
  }
}

function refusalsOfAll({ to, cc, bcc }: OutgoingMail, reply: string) {
  return [...to, ...cc, ...bcc].map(({ email }) => ({ recipient: email, reply }));
}

function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1);
}
