/** Long and unusual texts from a provider must not keep a function busy for much longer than their length explains. */
import { Script } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { mailboxKey, parseAddresses, quotedIfNeeded, readAddresses } from '../../lambda/mail/address.ts';
import { customersMailCloudMessageId, sendGridMessageId } from '../../lambda/mail/message-id.ts';
import { readReply } from '../../lambda/mail/reply.ts';
import { usableTimestamp, zonedTimestamp } from '../../lambda/mail/timestamp.ts';
import { normalizeCustomersMailCloud } from '../../lambda/providers/customers-mail-cloud/events.ts';
import { acceptCustomersMailCloud } from '../../lambda/providers/customers-mail-cloud/webhook.ts';
import { normalizeSendGrid } from '../../lambda/providers/sendgrid/events.ts';
import { verifySendGrid } from '../../lambda/providers/sendgrid/webhook.ts';
import { boundedKey, withStorableKeys } from '../../lambda/recording/keys.ts';
import { blocklistedRow, bounceRow, loggedMail, storyRow, unrecognizedRow } from '../../lambda/recording/rows.ts';
import { mediaType } from '../../lambda/webhooks/request.ts';

const LENGTH = 300_000;
/** Work that grows with the square of the length would take minutes. Each of these texts takes less than a second. */
const PATIENCE_MS = 15_000;

const repeated = (unit: string) => unit.repeat(Math.ceil(LENGTH / unit.length));
const TEXTS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    '\\',
    '\\u003',
    '\\\\u003c',
    '<',
    '>',
    '"',
    '"\\',
    '"@',
    ' ',
    'a ',
    ' \t',
    '.',
    'a.',
    '.filter',
    'filter1',
    '@',
    'a@',
    ',',
    ';',
    '(',
    '[',
    '{"a":',
    '5.1.',
    '550 ',
    '550-5.',
    '9',
    '-',
    ':',
    '\r\n',
    '\u3000',
    'あ',
    '\ud800',
  ].map((unit) => [JSON.stringify(unit), repeated(unit)]),
);

/** Texts for whole events. Each expression alone is tried with all texts. */
const WORST = ['\\\\', '"\\\\', '.filter', '550-5.'].map(repeated);

/** Ends work after a time limit, also inside a regular expression. */
function withinPatience<Result>(work: () => Result): Result {
  const globals: { hostileWork?: () => Result } = globalThis as never;
  globals.hostileWork = work;
  try {
    return new Script('hostileWork()').runInThisContext({ timeout: PATIENCE_MS });
  } finally {
    delete globals.hostileWork;
  }
}

const TIME = { receivedAtMs: 1_674_623_115_000, retentionDays: 180 };

function rows(normalize: () => ReturnType<typeof normalizeSendGrid>): void {
  const event = withStorableKeys(normalize());
  if (event.kind === 'ignored') return;
  if (event.kind === 'unrecognized') return void unrecognizedRow(event, TIME);
  if (event.kind === 'blocklisted') return void blocklistedRow(event, TIME);
  if (event.kind === 'failure') bounceRow(event, undefined, TIME);
  storyRow(event, 'id', TIME);
}

const WORK: Readonly<Record<string, (text: string) => unknown>> = {
  'a Message-ID': customersMailCloudMessageId,
  'an sg_message_id': sendGridMessageId,
  'a mailbox': mailboxKey,
  'a quoted mailbox': (text) => mailboxKey(`"${text}"@example.com`),
  'a local part': quotedIfNeeded,
  addresses: readAddresses,
  'an address that is refused': (text) => expect(() => parseAddresses(`a${text}@`)).toThrow(),
  'a reply': readReply,
  'a status': (text) => readReply('', text),
  'a time': usableTimestamp,
  'a wall-clock time': (text) => zonedTimestamp(text, 'Asia/Tokyo'),
  'a key': (text) => boundedKey(text, 1024),
  'a content type': (text) => mediaType({ method: 'POST', headers: { 'content-type': text }, body: Buffer.alloc(0) }),
  'an Authorization header': (text) => {
    const request = { method: 'POST', headers: { authorization: `Basic ${text}` }, body: Buffer.from('{}') };
    const credentials = { apiKeys: ['key'], basic: [{ user: 'user', password: 'password' }], bearerTokens: ['token'] };
    expect(() => acceptCustomersMailCloud(request, credentials)).toThrow();
  },
  'a signature': (text) => {
    const headers = {
      'x-twilio-email-event-webhook-signature': text,
      'x-twilio-email-event-webhook-timestamp': text,
    };
    const key =
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==';
    expect(() => verifySendGrid({ method: 'POST', headers, body: Buffer.from(text) }, [key])).toThrow();
  },
  'a log row': (text) => loggedMail({ messageId: text, from: text, to: text, subject: text }),
  "every field of SendGrid's": (text) => {
    for (const event of ['bounce', 'dropped', 'delivered', 'new']) {
      const fields = ['email', 'reason', 'response', 'status', 'type', 'sg_message_id', 'sg_event_id', 'timestamp'];
      rows(() => normalizeSendGrid({ event, ...Object.fromEntries(fields.map((name) => [name, text])) }));
    }
  },
  "every field of Customers Mail Cloud's": (text) => {
    for (const [eventType, status] of [
      ['bounces', text],
      ['deliveries', 'queued'],
      ['deliveries', 'failed'],
      [text, text],
    ] as const) {
      const fields = ['messageId', 'apiData', 'created', 'from', 'to', 'reason', 'subject', 'returnPath'];
      const entry = { ...Object.fromEntries(fields.map((name) => [name, text])), status };
      rows(() => normalizeCustomersMailCloud({ eventType, entry }, 'Asia/Tokyo'));
    }
  },
};

describe.each(Object.keys(WORK))('%s of a million characters', (name) => {
  test('is processed in time', () => {
    const texts = name.startsWith('every field') ? WORST : Object.values(TEXTS);
    for (const text of texts) withinPatience(() => WORK[name]?.(text));
  });
});

test('the time limit ends a slow regular expression', () => {
  const quadratic = () => repeated('\\').replace(/\\+u003c/g, '<');
  const limited = () => {
    const globals: { slowWork?: () => unknown } = globalThis as never;
    globals.slowWork = quadratic;
    return new Script('slowWork()').runInThisContext({ timeout: 100 });
  };
  expect(limited).toThrow(/timed out/);
});
