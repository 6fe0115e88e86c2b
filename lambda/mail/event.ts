/** The types of normalized events: what happened to a mail, in Todoke's terms. */
import type { Classification } from './classification.ts';
import type { Provider } from './provider.ts';
import type { Outcome } from './verdict.ts';

/** How far a mail got with one recipient. */
export type ProgressState = 'queued' | 'deferred' | 'delivered';

/** The fields of every event about a mail, of either provider. */
interface EventBase {
  readonly provider: Provider;
  /** Message ids under which the mail may be logged, the likeliest first. Empty if the provider sent none. */
  readonly messageIds: readonly string[];
  /** Unique for the mail and recipient; derived if the provider sent no such id. */
  readonly fullMessageId: string;
  /** Unique together with fullMessageId. */
  readonly eventId: string;
  /** In the form of mailboxKey. */
  readonly recipient: string | undefined;
  /** The receiving server's reply or the provider's own words; empty if there are none. */
  readonly reason: string;
  /** Unix seconds; undefined if the provider sent no usable time. */
  readonly timestamp: number | undefined;
}

/** A mail was queued, deferred or delivered. */
export interface ProgressEvent extends EventBase {
  readonly kind: 'progress';
  readonly state: ProgressState;
}

/** A mail bounced, was dropped, failed, or was reported as spam. */
export interface FailureEvent extends EventBase {
  readonly kind: 'failure';
  readonly state: Outcome;
  /** The provider's name for the event. */
  readonly event: string;
  /** The provider's subtype of the event; `""` if there is none. */
  readonly type: string;
  readonly classification: Classification;
  /** What the event itself says of the mail, for rows whose mail is not logged. */
  readonly fromEmail?: string | undefined;
  readonly subject?: string | undefined;
  readonly mailId?: string | undefined;
  /** Every other field that the provider sent. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A change to the provider's block list. It concerns an address, not a mail. */
export interface BlocklistedEvent extends Omit<EventBase, 'messageIds'> {
  readonly kind: 'blocklisted';
  /** As in a failure. */
  readonly event: string;
  readonly type: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** An event that Todoke does not understand. It is stored as received, to be read and replayed. */
export interface UnrecognizedEvent extends Pick<EventBase, 'provider' | 'fullMessageId' | 'eventId'> {
  readonly kind: 'unrecognized';
  /** JSON of the event as it was received. */
  readonly rawEvent: string;
}

/** An event that does not change the state of a mail: opens, clicks, unsubscribes, group changes. */
export interface IgnoredEvent {
  readonly kind: 'ignored';
}

export type MailEvent = ProgressEvent | FailureEvent | BlocklistedEvent | UnrecognizedEvent | IgnoredEvent;
