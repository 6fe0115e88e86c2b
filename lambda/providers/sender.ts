/** What a sender is, and how a handover ends. */
import type { OutgoingMail, RefusedRecipient } from '../mail/outgoing-mail.ts';

/**
 * What a provider speaks of when it does not take a message. `account`: our credentials, or the server's certificate.
 * `sender`: the address in MAIL FROM or `from`. `message`: the message as a whole. `recipients`: every recipient.
 * `mailboxes`: every recipient, of whom at least one may be accepted later. `provider`: the provider itself.
 */
export type Blame = 'account' | 'sender' | 'message' | 'recipients' | 'mailboxes' | 'provider';

/** The provider has taken the message. */
export interface Sent {
  readonly kind: 'sent';
  /** The key under which its events will come; undefined if the provider named none: its events cannot be joined. */
  readonly messageId: string | undefined;
  /** Recipients that were refused while others were accepted. */
  readonly refused: readonly RefusedRecipient[];
}

/**
 * The provider has not taken the message: not now (`deferred`), or never (`refused`). After a connection that broke it is
 * not known whether the message was taken.
 */
export interface NotSent {
  readonly kind: 'deferred' | 'refused';
  readonly blames: Blame;
  /** One sentence without a full stop: what happened, in the provider's own words if it had any, and what to change. */
  readonly reason: string;
  /** The reply to each recipient, if the recipients had replies of their own. */
  readonly replies: readonly RefusedRecipient[];
  /** The reply to all other recipients. */
  readonly reply: string;
  /** Of `deferred`: the time before which the provider does not want another attempt; Unix milliseconds. */
  readonly retryAtMs?: number | undefined;
}

export type Handover = Sent | NotSent;

/** A message that was not sent, without replies to single recipients. */
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
  /** Whether messages go out under the Message-ID that is given; otherwise the provider makes one. */
  readonly choosesMessageId: boolean;
  /** Enough to hide the provider's latency, few enough not to be taken for an attack. */
  readonly handoversAtOneTime: number;
  /**
   * Makes one attempt.
   *
   * @param messageId to send under, if the sender chooses it
   */
  send(mail: OutgoingMail, messageId: string): Promise<Handover>;
  /** Ends connections that are kept open between messages. */
  close(): void;
}
