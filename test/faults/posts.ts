/** Posts of both providers about mails of every kind, made from the payloads that the providers document. */
import type { Row } from '../../lambda/aws/dynamodb.ts';
import type { MailEvent } from '../../lambda/mail/event.ts';
import type { Provider } from '../../lambda/mail/provider.ts';
import {
  type CustomersMailCloudEntry,
  normalizeCustomersMailCloud,
} from '../../lambda/providers/customers-mail-cloud/events.ts';
import { normalizeSendGrid } from '../../lambda/providers/sendgrid/events.ts';
import { LOG_ROW_ENTRY } from '../../lambda/recording/entries.ts';
import { bounceRow, loggedMail, logRow, refusalEvent, storyRow } from '../../lambda/recording/rows.ts';
import { customersMailCloudPosts, sendGridEvents } from '../lambda/providers/fixtures.ts';

/** The time at which the mails of the posts were sent: 2023-01-25T05:05:15Z, in seconds. */
export const SENT_AT = 1674623115;
export const RETENTION_DAYS = 180;
export const TIME_ZONE = 'Asia/Tokyo';
const DAY_S = 86_400;

/** Which of a mail's events are in the post: enough for two batches of 25 rows, and few more. */
const EVENTS_OF: Readonly<Record<Logged, [number, number]>> = {
  before: [3, 5],
  meanwhile: [0, Number.POSITIVE_INFINITY],
  later: [0, 6],
  never: [2, 5],
};

/** When a mail is logged: before the first event, between the recorder's two lookups, after all events, or never. */
export type Logged = 'before' | 'meanwhile' | 'later' | 'never';

export interface TestMail {
  readonly logged: Logged;
  readonly messageId: string;
  readonly row: Row;
}

/** A post, and its mails. */
export interface Scenario {
  /** Unique to the scenario. Every row of the scenario contains it. */
  readonly tag: string;
  readonly provider: Provider;
  /** The post's events. Some appear twice. */
  readonly events: readonly MailEvent[];
  /** The same events in the form that the provider's `accept` function returns. */
  readonly received: readonly unknown[];
  readonly mails: readonly TestMail[];
  /** What the sender stored for recipients that were refused at the handover. */
  readonly refusals: readonly RefusalRows[];
}

/** What the sender writes for a refused recipient. `bounce` is missing if somebody has deleted the Bounce row. */
export interface RefusalRows {
  readonly story: Row;
  readonly bounce: Row | undefined;
}

const TAG = /run\d+x/;
let runs = 0;

export function newTag(): string {
  return `run${++runs}x`;
}

/** The tag of the scenario that a row belongs to. */
export function tagOf(row: Row): string {
  return TAG.exec(JSON.stringify(row))?.[0] ?? 'of no scenario';
}

export function scenario(provider: Provider, tag = newTag()): Scenario {
  return provider === 'sendgrid' ? sendGridScenario(tag) : customersMailCloudScenario(tag);
}

function sendGridScenario(tag: string): Scenario {
  const mails = (['before', 'meanwhile', 'later', 'never'] as const).map((logged) =>
    testMail('sendgrid', `${tag}-${logged}`, logged),
  );
  const received = mails.flatMap(({ messageId, logged }) => {
    const events = sendGridEventsOf(messageId);
    return events.slice(...EVENTS_OF[logged]);
  });
  const [, bounce] = received;
  const undated = { ...bounce, sg_event_id: `${tag}-undated`, timestamp: undefined };
  const old = { ...bounce, sg_event_id: `${tag}-old`, timestamp: SENT_AT - 8 * DAY_S };
  const twice = [...received.slice(-3), undated];
  // The JSON round trip removes undefined values.
  const all: unknown[] = JSON.parse(JSON.stringify([...received, undated, old, ...twice]));
  return {
    tag,
    provider: 'sendgrid',
    events: all.map(normalizeSendGrid),
    received: all,
    mails,
    refusals: refusalsOf('sendgrid', mails),
  };
}

/** All documented events, as events of the given mail. */
export function sendGridEventsOf(messageId: string): Record<string, unknown>[] {
  return sendGridEvents('reference-each-event').map((event, n) => ({
    ...event,
    email: 'ann@example.com',
    timestamp: SENT_AT + n,
    sg_event_id: `${messageId}-${n}`,
    // Distinguishes events without a message id from those of another scenario.
    of: messageId,
    ...('sg_message_id' in event && { sg_message_id: `${messageId}.filter0001.16648.5515E0B88.0` }),
  }));
}

function customersMailCloudScenario(tag: string): Scenario {
  const id = (name: string) => `<${tag}-${name}@example.com>`;
  const mails = (['before', 'meanwhile', 'later', 'never'] as const).map((logged) =>
    testMail('customers-mail-cloud', id(logged), logged),
  );
  // Mails that were sent through the API. They are logged under the id that the application put into apiData.
  const apiMails = (['before', 'later'] as const).map((logged) =>
    testMail('customers-mail-cloud', id(`api-${logged}`), logged),
  );
  const entries = [
    ...mails.flatMap(({ messageId, logged }) => customersMailCloudEntriesOf(messageId).slice(...EVENTS_OF[logged])),
    ...apiMails.flatMap(({ messageId, logged }) =>
      customersMailCloudEntriesOf(id(`chosen-${logged}`))
        .slice(2, 4)
        .map((entry) => withFields(entry, { apiData: messageId })),
    ),
    {
      eventType: 'blocks',
      entry: { created: '2015-12-14 08:46:00', email: `${tag}@example.com`, id: 'cp0ihzuyl3445', status: '2' },
    },
    { eventType: 'deliveries', entry: { status: 'unheard-of', messageId: id('before'), to: 'ann@example.com' } },
    withFields(customersMailCloudEntriesOf(id('never'))[4], { created: '' }),
    withFields(customersMailCloudEntriesOf(id('later'))[4], { created: '2023-01-01 00:00:00' }),
  ];
  const received = [...entries, ...entries.slice(-5)];
  return {
    tag,
    provider: 'customers-mail-cloud',
    events: received.map((entry) => normalizeCustomersMailCloud(entry, TIME_ZONE)),
    received,
    mails: [...mails, ...apiMails],
    refusals: refusalsOf('customers-mail-cloud', mails),
  };
}

/** The published examples and a deferral, for one recipient of the given mail; and a bounce for another in the same second. */
export function customersMailCloudEntriesOf(messageId: string): CustomersMailCloudEntry[] {
  const published = customersMailCloudPosts().flatMap(({ event }) =>
    Object.entries(event).flatMap(([eventType, list]) => list.map((entry) => ({ eventType, entry }))),
  );
  const [queued] = published;
  const entries = [queued, withFields(queued, { status: 'deferred', reason: '451 4.7.1 Try again later' })]
    .concat(published.slice(1))
    .map((entry, n) =>
      withFields(entry, { messageId, to: 'ann@example.com', created: wallClock(SENT_AT + n), apiData: '' }),
    );
  return [...entries, withFields(entries.at(-1), { to: 'bob@example.com' })];
}

function withFields(received: CustomersMailCloudEntry | undefined, fields: Row): CustomersMailCloudEntry {
  return { eventType: received?.eventType ?? '', entry: { ...(received?.entry as Row), ...fields } };
}

function wallClock(timestamp: number): string {
  return new Date((timestamp + 9 * 3600) * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

/** A mail as its application logs it (`later` and `before`), or as the sender logs it (otherwise). */
export function testMail(provider: Provider, messageId: string, logged: Logged): TestMail {
  const ofApplication = {
    messageId,
    entry: LOG_ROW_ENTRY,
    from: 'Shop <shop@example.com>',
    to: '"Ann" <ann@example.com>, bob@example.com',
    subject: `About ${messageId}`,
  };
  const ofSender = logRow(
    {
      messageId,
      provider,
      mailId: `mail of ${messageId}`,
      from: { email: 'shop@example.com', name: 'Shop' },
      to: [{ email: 'ann@example.com', name: 'Ann' }],
      cc: [],
      bcc: [{ email: 'bob@example.com' }],
      subject: `About ${messageId}`,
    },
    SENT_AT * 1000,
    RETENTION_DAYS,
  );
  return { logged, messageId, row: logged === 'meanwhile' ? ofSender : ofApplication };
}

function refusalsOf(provider: Provider, mails: readonly TestMail[]): RefusalRows[] {
  const time = { receivedAtMs: SENT_AT * 1000, retentionDays: RETENTION_DAYS };
  // A SendGrid event id belongs to one recipient only.
  const recipients = ['dave@example.com', 'carol@example.com'].slice(0, provider === 'sendgrid' ? 1 : 2);
  return mails
    .filter(({ logged }) => logged === 'later')
    .flatMap(({ messageId, row }) =>
      recipients.map((recipient) => {
        const event = refusalEvent({ recipient, reply: '550 5.7.1 Not here' }, { provider, messageId }, SENT_AT * 1000);
        const bounce = recipient.startsWith('carol') ? bounceRow(event, loggedMail(row), time) : undefined;
        return { story: storyRow(event, messageId, time), bounce };
      }),
    );
}
