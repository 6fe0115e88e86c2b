/** The types of a sender and of the result of a handover. */
import type { OutgoingMail, RefusedRecipient } from '../mail/outgoing-mail.ts';

/**
 * Why a message was not accepted. `account`: our credentials, our tables, or the server's certificate. `sender`: the
 * address in MAIL FROM or `from`. `message`: the message as a whole. `recipients`: every recipient. `mailboxes`: every
 * recipient, but at least one may be accepted later. `provider`: the provider itself.
 */
export type Blame = 'account' | 'sender' | 'message' | 'recipients' | 'mailboxes' | 'provider';

/** The provider has accepted the message. */
export interface Sent {
  readonly kind: 'sent';
  /**
   * The message id that its events will have; undefined if the provider named none. Then its events cannot be joined.
   */
  readonly messageId: string | undefined;
  /** Recipients that were refused while others were accepted. */
  readonly refused: readonly RefusedRecipient[];
}

/**
 * The provider has not accepted the message: it may accept it later (`deferred`), or will not (`refused`). If the
 * connection broke, the provider may have accepted the message nevertheless.
 */
export interface NotSent {
  readonly kind: 'deferred' | 'refused';
  readonly blames: Blame;
  /**
   * One sentence without a full stop: what happened, with the provider's own words if there are any, and what to
   * change.
   */
  readonly reason: string;
  /** The replies to single recipients, if the server replied to each one. */
  readonly replies: readonly RefusedRecipient[];
  /** The reply to all other recipients. */
  readonly reply: string;
  /** If deferred: the time before which the provider does not want another attempt; Unix milliseconds. */
  readonly retryAtMs?: number | undefined;
}

export type Handover = Sent | NotSent;

/** The result for a message that was not sent. Unless `more` says otherwise, every recipient has the same reply. */
export function notSent(
  kind: NotSent['kind'],
  blames: Blame,
  reason: string,
  more: Partial<Pick<NotSent, 'replies' | 'reply' | 'retryAtMs'>> = {},
): NotSent {
  return { kind, blames, reason, replies: [], reply: reason, ...more };
}

/** Hands messages over to one provider. */
export interface Sender {
  /** Whether messages are sent under the given Message-ID; otherwise the provider makes one. */
  readonly choosesMessageId: boolean;
  /**
   * How many handovers run at the same time: enough to hide the provider's latency, few enough not to look like an
   * attack.
   */
  readonly handoversAtOneTime: number;
  /**
   * Makes one handover. Does not throw.
   *
   * @param messageId to send under, if the sender chooses it
   */
  send(mail: OutgoingMail, messageId: string): Promise<Handover>;
  /** Closes the connections that are kept open between messages. */
  close(): void;
}
