/** What a sender is, and how a handover ends. */
import type { OutgoingMail, RefusedRecipient } from '../mail/outgoing-mail.ts';

/** A provider has taken a mail over. */
export interface Handover {
  /** The key under which its events will come; undefined where the provider named none: they cannot be joined. */
  readonly messageId: string | undefined;
  /** Recipients that were refused at once, while others were taken. */
  readonly refused: readonly RefusedRecipient[];
}

/** A provider has not taken a mail over. */
export class HandoverError extends Error {
  /**
   * refused: never will, as it is. unauthorized: never will, with these credentials. temporary: may, later; whether it
   * has is unknown where the connection broke.
   */
  readonly kind: 'refused' | 'unauthorized' | 'temporary';
  /** When the provider asked to be tried again; Unix milliseconds. */
  readonly retryAtMs: number | undefined;
  /** Of what is temporary: it is the recipients' mailboxes that wait, while the provider takes other mail. */
  readonly ofMailboxes: boolean;

  /** @param message says in one sentence what happened, in the provider's own words where it has any */
  constructor(
    kind: HandoverError['kind'],
    message: string,
    options: ErrorOptions & { retryAtMs?: number | undefined; ofMailboxes?: boolean } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.retryAtMs = options.retryAtMs;
    this.ofMailboxes = options.ofMailboxes ?? false;
  }
}

/** Hands mails over to one provider. */
export interface Sender {
  /** Whether mails go out under the Message-ID that is given; else the provider makes one. */
  readonly choosesMessageId: boolean;
  /** Enough to hide the provider's latency, few enough not to be taken for an attack. */
  readonly handoversAtOneTime: number;
  /**
   * @param messageId to send under, where the sender chooses it
   * @throws HandoverError
   */
  send(mail: OutgoingMail, messageId: string): Promise<Handover>;
  /** Ends connections that are kept open between mails. */
  close(): void;
}
