/** Hands the message of a claimed item to its provider, and writes its rows in SentLog and Bounce. */
import { isInvalidItem } from '../aws/dynamodb.ts';
import { errorFields, errorName, log } from '../aws/log.ts';
import { mailboxKey } from '../mail/address.ts';
import { messageIdFor } from '../mail/message-id.ts';
import type { OutgoingMail } from '../mail/outgoing-mail.ts';
import { type Handover, type NotSent, notSent, type Sent } from '../providers/sender.ts';
import { refusalEvent, suppressedEvent } from '../recording/rows.ts';
import { type Invocation, RESERVE_MS } from './invocation.ts';
import { retryUntil } from './retry.ts';
import type { Sending } from './sending.ts';
import { type CheckedMail, recipientsOf } from './suppressed-recipients.ts';

/** The result of a handover, and the sending with what the handover added to it. */
export interface AttemptResult {
  readonly handover: Handover;
  readonly sending: Sending;
}

/** The Message-ID under which a message is sent. If nobody gets the message, its rows have this Message-ID. */
export function messageIdOf({ messageId, id, recordId, putAtMs }: Sending, { from }: OutgoingMail): string {
  // The same record gives the same Message-ID, also after a crash.
  return messageId ?? messageIdFor(`${recordId} ${putAtMs} ${id}`, domainOf(from.email));
}

/**
 * Logs the message if its sender chooses the Message-ID, then hands it over. A failure of either is returned, not
 * thrown.
 */
export async function handOver(
  before: Sending,
  { mail, sendable }: CheckedMail,
  { senders, sent }: Invocation,
): Promise<AttemptResult> {
  const sender = senders[mail.provider];
  const messageId = messageIdOf(before, mail);
  let sending: Sending = { ...before, messageId };
  // The log row is written before the message is sent, so no event can come before it.
  if (sender.choosesMessageId && !sending.isLogged) {
    try {
      await sent.logMail(mail, messageId, Date.now());
    } catch (error) {
      const reason = `Cannot log the mail, so it was not sent: ${errorName(error)}`;
      return { sending, handover: notSent(isInvalidItem(error) ? 'refused' : 'deferred', 'account', reason) };
    }
    sending = { ...sending, isLogged: true };
  }
  return { sending, handover: await sender.send(sendable, messageId) };
}

/**
 * Writes the rows of a message that was sent. It does not throw, because the message must not be sent again if this
 * fails.
 *
 * @returns what the item's `error` must say: recipients that did not get the message, and rows that could not be
 * written
 */
export async function recordSent(
  { messageId, refused }: Sent,
  { messageId: chosenId, isLogged, putAtMs }: Sending,
  checked: CheckedMail,
  sentAtMs: number,
  invocation: Invocation,
): Promise<string[]> {
  const { mail, leftOut } = checked;
  const { sent, endsAtMs } = invocation;
  const problems = [
    ...refused.map(({ recipient, reply }) => `${recipient} was refused: ${reply}`),
    ...leftOut.map(({ recipient, reason }) => `${recipient} was left out: it is ${reason}`),
  ];
  if (messageId === undefined) {
    log('error', 'Cannot log a mail that was sent: its provider named no message id', { mailId: mail.id });
    return [...problems, 'its provider named no message id: its events cannot be joined'];
  }
  try {
    await retryUntil(endsAtMs - RESERVE_MS / 2, async () => {
      // Somebody may have changed the item's provider since it was logged.
      if (!isLogged || messageId !== chosenId) await sent.logMail(mail, messageId, sentAtMs);
      const events = refused.map((recipient) => refusalEvent(recipient, { ...mail, messageId }, putAtMs));
      await sent.logFailures(mail, messageId, events, putAtMs);
      await recordLeftOut(messageId, putAtMs, checked, invocation);
    });
    return problems;
  } catch (error) {
    log('error', 'Cannot log a mail that was sent', { mailId: mail.id, messageId, ...errorFields(error) });
    return [...problems, 'it could not be logged: its events will be unmatched'];
  }
}

/** Writes the rows of all recipients of a message that is logged and will not be sent. */
export async function recordNotSent(
  { blames, replies, reply }: NotSent,
  sending: Sending,
  checked: CheckedMail,
  invocation: Invocation,
): Promise<void> {
  const { messageId, isLogged, putAtMs } = sending;
  if (!isLogged || messageId === undefined) return;
  const { mail, sendable } = checked;
  const own = new Map(replies.map((refused) => [mailboxKey(refused.recipient), refused.reply]));
  const refused = recipientsOf(sendable).map((recipient) =>
    refusalEvent({ recipient, reply: own.get(mailboxKey(recipient)) ?? reply }, { ...mail, messageId }, putAtMs),
  );
  // The rows have the time when the item was put, so that a retry after a crash writes the same rows.
  await invocation.sent.logFailures(mail, messageId, refused, putAtMs, {
    saysNothingOfRecipients: blames === 'account' || blames === 'sender',
  });
  await recordLeftOut(messageId, putAtMs, checked, invocation);
}

/** Writes the rows of the recipients that are left out of a message. */
export async function recordLeftOut(
  messageId: string,
  putAtMs: number,
  { mail, leftOut }: CheckedMail,
  { sent }: Invocation,
): Promise<void> {
  const events = leftOut.map((recipient) => suppressedEvent(recipient, { ...mail, messageId }, putAtMs));
  await sent.logFailures(mail, messageId, events, putAtMs);
}

function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1);
}
