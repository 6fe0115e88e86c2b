/** How far a mail got with each recipient. */
import type { Address } from '../../lambda/mail/address.ts';
import { mailboxKey } from '../../lambda/mail/address.ts';
import type { RecipientState, StoryEvent } from './api.ts';

/** From the least to the most telling: a mail that was delivered and then complained of is complained of. */
const RANKS = ['sent', 'queued', 'deferred', 'delivered', 'failed', 'dropped', 'bounced', 'complained'];

/** How far a mail got with each of its recipients, the listed ones first, then others that the events name. */
export function statesOf(recipients: readonly Address[], events: readonly StoryEvent[]): RecipientState[] {
  const states = new Map<string, RecipientState>();
  for (const { email, name } of recipients) {
    states.set(mailboxKey(email), { recipient: email, state: 'sent', ...(name !== undefined && { name }) });
  }
  for (const { recipient = '', state } of events) {
    const key = mailboxKey(recipient);
    const known = states.get(key) ?? { recipient, state: 'sent' };
    if (RANKS.indexOf(state) >= RANKS.indexOf(known.state)) states.set(key, { ...known, state });
  }
  return [...states.values()];
}

/** In the order in which they happened; of one second, in the order in which they must have. */
export function inOrder(events: readonly StoryEvent[]): StoryEvent[] {
  const time = (event: StoryEvent) => timeOf(event) ?? '9';
  return events.toSorted((a, b) =>
    time(a) === time(b) ? RANKS.indexOf(a.state) - RANKS.indexOf(b.state) : time(a) < time(b) ? -1 : 1,
  );
}

/** When an event of a story happened; undefined where its provider sent no usable time. */
export function timeOf({ entry }: StoryEvent): string | undefined {
  const time = entry.split('#')[1];
  return time === undefined || time === 'undated' ? undefined : time;
}
