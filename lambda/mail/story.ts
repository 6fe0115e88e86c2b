/** Derives from a mail's events how far it got with each recipient, and sorts the events. */
import { type Address, mailboxKey, readAddresses } from './address.ts';

/** An event of a story: a row of SentLog. */
export interface StoryEvent {
  /** `event#<occurredAt>#<eventId>` */
  readonly entry: string;
  readonly state: string;
  readonly recipient?: string | undefined;
}

/** A recipient of a mail, and the field of the mail that names it. */
export interface Recipient extends Address {
  readonly field: 'to' | 'cc' | 'bcc';
}

/** How far a mail got with a recipient. */
export interface RecipientState<Event extends StoryEvent> {
  readonly email: string;
  readonly name?: string;
  /** Undefined if only events name the recipient. */
  readonly field?: Recipient['field'];
  readonly state: string;
  /** The event that decided the state. */
  readonly event?: Event;
}

/** In ascending precedence: `complained` overrides `delivered`. */
const RANKS = ['sent', 'queued', 'deferred', 'delivered', 'failed', 'dropped', 'bounced', 'complained'];

/** The recipients in a row of SentLog or Mail, each once: first those in `to`, then `cc`, then `bcc`. */
export function recipientsOf(row: Readonly<Record<string, unknown>>): Recipient[] {
  const recipients = new Map<string, Recipient>();
  for (const field of ['to', 'cc', 'bcc'] as const) {
    for (const address of readAddresses(row[field])) {
      const key = mailboxKey(address.email);
      if (!recipients.has(key)) recipients.set(key, { ...address, field });
    }
  }
  return [...recipients.values()];
}

/** How far a mail got with each of its recipients, the listed ones first, then others that the events name. */
export function statesOf<Event extends StoryEvent>(
  recipients: readonly Recipient[],
  events: readonly Event[],
): RecipientState<Event>[] {
  const states = new Map<string, RecipientState<Event>>();
  for (const recipient of recipients) states.set(mailboxKey(recipient.email), { ...recipient, state: 'sent' });
  // Of two events with the same state the later one counts.
  for (const event of inOrder(events)) {
    const { recipient = '', state } = event;
    const key = mailboxKey(recipient);
    const known = states.get(key) ?? { email: recipient, state: 'sent' };
    if (RANKS.indexOf(state) >= RANKS.indexOf(known.state)) states.set(key, { ...known, state, event });
  }
  return [...states.values()];
}

/**
 * In the order in which they happened. Events of the same time are in the order of RANKS. Events without a time are
 * last.
 */
export function inOrder<Event extends StoryEvent>(events: readonly Event[]): Event[] {
  const time = (event: Event) => timeOf(event) ?? '9';
  return events.toSorted((a, b) =>
    time(a) === time(b) ? RANKS.indexOf(a.state) - RANKS.indexOf(b.state) : time(a) < time(b) ? -1 : 1,
  );
}

/** When an event of a story happened; undefined if its provider sent no usable time. */
export function timeOf({ entry }: Pick<StoryEvent, 'entry'>): string | undefined {
  const time = entry.split('#')[1];
  return time === undefined || time === 'undated' ? undefined : time;
}

/** After this many hours a message without any event is "no news". */
export const DEFAULT_NO_NEWS_HOURS = 4;

/**
 * The state, or `no-news` if it is `sent` and the mail was sent more than `noNewsHours` ago. Providers report within
 * seconds that they accepted a message. So an event was lost, or the webhook does not work.
 */
export function stateAt(state: string, sentAt: string | undefined, nowMs: number, noNewsHours: number): string {
  const ageMs = nowMs - Date.parse(sentAt ?? '');
  return state === 'sent' && ageMs > noNewsHours * 3_600_000 ? 'no-news' : state;
}

/**
 * The time to show for the handover of a mail: that of its log row, or that of its first event if it is earlier. An
 * application may write the log row later, clocks differ, and SendGrid's times are whole seconds.
 */
export function handedOverAt(sentAt: string, ordered: readonly Pick<StoryEvent, 'entry'>[]): string {
  const first = ordered.map(timeOf).find((time) => time !== undefined);
  return first !== undefined && first < sentAt ? first : sentAt;
}
