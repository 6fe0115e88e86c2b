/** Makes the view of a mail from its rows: its data, how far it got with each recipient, and its events. */
import type { Row } from '../aws/dynamodb.ts';
import { type Address, mailboxKey, readAddresses } from '../mail/address.ts';
import {
  inOrder,
  type Recipient,
  type RecipientState,
  recipientsOf,
  stateAt,
  statesOf,
  timeOf,
} from '../mail/story.ts';
import { bounceKeyOf, type EventRow, type Story, textOf } from './story.ts';

export interface FoundRecipient extends Address {
  readonly field?: Recipient['field'];
  /**
   * A state of SentLog; `sent` if there is no event, or `no-news` if there is none for `noNewsHours`. For an item that
   * was not sent: its status, or `waiting`.
   */
  readonly state: string;
  readonly occurredAt?: string | undefined;
  readonly reason?: string | undefined;
  readonly bounceClass?: string | undefined;
}

export interface FoundMail {
  readonly messageId?: string | undefined;
  /** ISO 8601; for a mail that was never logged, the time of its first event. */
  readonly sentAt?: string | undefined;
  readonly provider?: string | undefined;
  readonly mailId?: string | undefined;
  readonly from?: Address | undefined;
  readonly subject?: string | undefined;
  readonly recipients: readonly FoundRecipient[];
  /** The status and error of an item that was not sent. Such an item may have no readable recipient. */
  readonly unsent?: Pick<FoundRecipient, 'state' | 'reason'> | undefined;
  /** In the order in which they happened. */
  readonly events: readonly EventRow[];
}

/**
 * @param rows of one mail
 * @param keys only recipients with one of these mailbox keys; undefined for all
 */
export function foundMail(
  { log, item, events, bounces }: Omit<Story, 'more'>,
  { keys, nowMs, noNewsHours }: { keys?: readonly string[]; nowMs: number; noNewsHours: number },
): FoundMail {
  const row: Row = log ?? item ?? {};
  const ordered = inOrder(events);
  const sentAt =
    textOf(log?.['sentAt']) ?? textOf(item?.['sentAt']) ?? ordered.map(timeOf).find((time) => time !== undefined);
  const bounceOf = new Map(bounces.map((bounce) => [bounceKeyOf(bounce), bounce]));
  const unsent = !log && events.length === 0 && item ? itemState(item) : undefined;
  const recipients = statesOf(recipientsOf(row), ordered)
    .filter(({ email }) => keys === undefined || keys.includes(mailboxKey(email)))
    .map(({ event, ...recipient }): FoundRecipient => {
      if (unsent) return { ...recipient, ...unsent };
      const state = stateAt(recipient.state, sentAt, nowMs, noNewsHours);
      return { ...recipient, state, ...verdictOf(event, bounceOf) };
    });
  return {
    messageId: textOf(log?.['messageId']) ?? textOf(item?.['messageId']) ?? textOf(events[0]?.['messageId']),
    sentAt,
    provider: textOf(row['provider']) ?? events[0]?.provider,
    // A message that was left unsent because all its recipients are suppressed has no log row.
    mailId: textOf(item?.['id']) ?? textOf(log?.['mailId']) ?? textOf(bounces[0]?.['mailId']),
    from: readAddresses(row['from'] ?? bounces[0]?.['fromEmail'])[0],
    subject: textOf(row['subject']) ?? textOf(bounces[0]?.['subject']),
    recipients,
    unsent,
    events: ordered,
  };
}

function itemState({ status, error }: Row): Pick<FoundRecipient, 'state' | 'reason'> {
  return { state: textOf(status) || 'waiting', reason: textOf(error) };
}

/**
 * The time, reason and bounce class of an event. The reason comes from the Bounce row, because it is cut in the event.
 */
function verdictOf(event: RecipientState<EventRow>['event'], bounces: ReadonlyMap<string, Row>) {
  if (event === undefined) return {};
  const bounce = bounces.get(bounceKeyOf(event));
  return {
    occurredAt: timeOf(event),
    reason: textOf(bounce?.['reason']) ?? event.reason,
    bounceClass: textOf(bounce?.['bounceClass']),
  };
}
