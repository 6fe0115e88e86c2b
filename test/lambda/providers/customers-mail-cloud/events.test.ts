import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOfContent } from '../../../../lambda/mail/content-key.ts';
import type { FailureEvent, MailEvent } from '../../../../lambda/mail/event.ts';
import { normalizeCustomersMailCloud } from '../../../../lambda/providers/customers-mail-cloud/events.ts';
import { acceptCustomersMailCloud } from '../../../../lambda/providers/customers-mail-cloud/webhook.ts';
import { withStorableKeys } from '../../../../lambda/recording/keys.ts';
import { blocklistedRow, bounceRow, storyRow, unrecognizedRow } from '../../../../lambda/recording/rows.ts';
import { anyJson, anyText, holdsForAll } from '../../mail/property.ts';
import { expectStorable } from '../../recording/stored-row.ts';
import { customersMailCloudForm, customersMailCloudPosts } from '../fixtures.ts';
import { post, refusalOf } from '../requests.ts';
import { ALL, basic, FORM, formPost, jsonPost } from './requests.ts';

/** The events of a whole form from the fixtures. */
function eventsOfForm(name: string, credentials = ALL, headers: Record<string, string> = {}): MailEvent[] {
  const { contentType, body } = customersMailCloudForm(name);
  const request = post(body, { 'content-type': contentType, ...headers });
  return acceptCustomersMailCloud(request, credentials).map((entry) =>
    normalizeCustomersMailCloud(entry, 'Asia/Tokyo'),
  );
}

const PROVIDER = { provider: 'customers-mail-cloud' } as const;
const JST = (wallClock: string) => Date.parse(`${wallClock.replace(' ', 'T')}+09:00`) / 1000;

describe('the published posts', () => {
  const events = () =>
    customersMailCloudPosts()
      .flatMap((body) => acceptCustomersMailCloud(jsonPost({ api_key: 'webhook-key', ...body }), ALL))
      .map((entry) => normalizeCustomersMailCloud(entry, 'Asia/Tokyo'));

  test('queued', () => {
    const [queued] = events();
    expect(queued).toEqual({
      ...PROVIDER,
      kind: 'progress',
      state: 'queued',
      messageIds: ['<031a32d4-06cd-b1ae-9526-011c0b9f1296@example.com>'],
      fullMessageId: '<031a32d4-06cd-b1ae-9526-011c0b9f1296@example.com>#user@example.jp',
      eventId: '2023-01-25 14:03:06#deliveries#queued',
      recipient: 'user@example.jp',
      reason: '',
      timestamp: JST('2023-01-25 14:03:06'),
    });
  });

  test('succeeded is delivered', () => {
    const [, succeeded] = events();
    expect(succeeded).toMatchObject({
      kind: 'progress',
      state: 'delivered',
      eventId: '2023-01-25 14:03:09#deliveries#succeeded',
    });
  });

  test('bounced by an unknown host', () => {
    const [, , unknownHost] = events();
    expect(unknownHost).toEqual({
      ...PROVIDER,
      kind: 'failure',
      state: 'bounced',
      messageIds: ['<8f902ee7-ae65-8711-48a8-2f708cb14205@example.com>'],
      fullMessageId: '<8f902ee7-ae65-8711-48a8-2f708cb14205@example.com>#user@example',
      eventId: '2023-01-25 14:05:15#bounces#1',
      recipient: 'user@example',
      reason: 'host unknown',
      timestamp: JST('2023-01-25 14:05:15'),
      event: 'bounced',
      type: '1',
      classification: {
        outcome: 'bounced',
        bounceClass: 'hard',
        cause: 'domain-unknown',
        smtpCode: undefined,
        enhancedStatusCode: undefined,
      },
      fromEmail: 'info@example.com',
      subject: 'メールマガジンのテスト',
      details: {
        returnPath: 'info@return.pro.smtps.jp',
        created: '2023-01-25 14:05:15',
        subject: 'メールマガジンのテスト',
        apiData: '',
        from: 'info@example.com',
        status: '1',
      },
    });
  });

  test('failed by the receiving server: the first notice', () => {
    const [, , , failed] = events();
    expect(failed).toMatchObject({
      kind: 'failure',
      state: 'failed',
      eventId: '2023-01-25 14:06:06#deliveries#failed',
      event: 'failed',
      type: '',
      classification: { outcome: 'failed', bounceClass: 'hard', smtpCode: '550', enhancedStatusCode: '5.1.1' },
      details: { senderIp: '100.100.100.3', status: 'failed' },
    });
  });

  test('bounced by an unknown user: the second notice has a row of its own under the same mail', () => {
    const [, , , failed, unknownUser] = events();
    expect(unknownUser).toMatchObject({
      kind: 'failure',
      state: 'bounced',
      eventId: '2023-01-25 14:06:07#bounces#2',
      event: 'bounced',
      type: '2',
      classification: { outcome: 'bounced', bounceClass: 'hard', smtpCode: '550', enhancedStatusCode: '5.1.1' },
    });
    expect(failed).toMatchObject({
      fullMessageId: unknownUser && 'fullMessageId' in unknownUser && unknownUser.fullMessageId,
    });
  });

  test('are the same as JSON text in a form, and as JSON text in JSON', () => {
    for (const { event, ...fields } of customersMailCloudPosts()) {
      const text = { api_key: 'webhook-key', ...fields, event: JSON.stringify(event) };
      const accepted = acceptCustomersMailCloud(jsonPost({ ...text, event }), ALL);
      expect(acceptCustomersMailCloud(formPost(text), ALL)).toEqual(accepted);
      expect(acceptCustomersMailCloud(jsonPost(text), ALL)).toEqual(accepted);
    }
  });
});

describe('a form', () => {
  test('with several entries, angle brackets escaped', () => {
    expect(eventsOfForm('several-deliveries')).toMatchObject([
      { kind: 'progress', state: 'queued', messageIds: ['<031a32d4-06cd-b1ae-9526-011c0b9f1296@example.com>'] },
      { kind: 'progress', state: 'delivered', messageIds: ['<031a32d4-06cd-b1ae-9526-011c0b9f1296@example.com>'] },
      { kind: 'failure', state: 'failed', messageIds: ['<9e7e564c-ac83-8cd8-2cb4-b9ff2a9f168d@example.com>'] },
    ]);
  });

  test('with angle brackets escaped twice gives the same keys', () => {
    expect(eventsOfForm('bounces-escaped-twice')).toMatchObject([
      {
        state: 'bounced',
        messageIds: ['<8f902ee7-ae65-8711-48a8-2f708cb14205@example.com>'],
        fullMessageId: '<8f902ee7-ae65-8711-48a8-2f708cb14205@example.com>#user@example',
        type: '1',
      },
      {
        state: 'bounced',
        messageIds: ['<9e7e564c-ac83-8cd8-2cb4-b9ff2a9f168d@example.com>'],
        fullMessageId: '<9e7e564c-ac83-8cd8-2cb4-b9ff2a9f168d@example.com>#no-user@example.jp',
        type: '2',
      },
    ]);
  });

  test('without an api_key, from an account that authenticates with a header', () => {
    const signedIn = eventsOfForm('without-api-key', ALL, { authorization: basic('hook:pass:word ü') });
    expect(signedIn).toMatchObject([{ kind: 'progress', state: 'queued' }]);
    refusalOf(() => eventsOfForm('without-api-key'), 401);
  });

  test('of version 1: the envelope names the recipient', () => {
    const [queued, failed] = eventsOfForm('version-1-deliveries');
    expect(queued).toEqual({
      ...PROVIDER,
      kind: 'progress',
      state: 'queued',
      messageIds: ['<823cb160-a205-11e5-833e-06ff9846521b@node1>'],
      fullMessageId: '<823cb160-a205-11e5-833e-06ff9846521b@node1>#to1@example.com',
      eventId: '2015-12-14 10:53:52#deliveries#queued',
      recipient: 'to1@example.com',
      reason: '',
      timestamp: JST('2015-12-14 10:53:52'),
    });
    expect(failed).toMatchObject({ state: 'failed', recipient: 'to1@example.com', fromEmail: 'from1@example.com' });
    expect(eventsOfForm('version-1-bounces')).toMatchObject([
      {
        state: 'bounced',
        fullMessageId: '<823cb160-a205-11e5-833e-06ff9846521b@node1>#to1@example.com',
        eventId: '2015-12-14 10:53:55#bounces#2',
        fromEmail: 'from1@example.com',
        subject: 'sample email #1',
      },
    ]);
  });

  test('of blocks: a block list change, which concerns an address and no message', () => {
    const [first, second] = eventsOfForm('blocks');
    const entry = {
      created: '2015-12-14 08:46:00',
      email: 'to1@example.com',
      id: 'cp0ihzuyl3445',
      occurred: '1',
      status: '2',
    };
    expect(first).toEqual({
      ...PROVIDER,
      kind: 'blocklisted',
      fullMessageId: keyOfContent({ eventType: 'blocks', entry }),
      eventId: '2015-12-14 08:46:00#blocks#2',
      recipient: 'to1@example.com',
      reason: '',
      timestamp: JST('2015-12-14 08:46:00'),
      event: 'blocks',
      type: '2',
      details: { created: '2015-12-14 08:46:00', id: 'cp0ihzuyl3445', occurred: '1', status: '2' },
    });
    expect(second).toMatchObject({ recipient: 'to2@example.com', type: '1' });
  });

  // The documentation does not show the shape of these entries in a webhook.
  test.each<[string, unknown, object]>([
    [
      'with a message id',
      { messageId: '<m@x>', to: 'A@example.com' },
      { recipient: 'a@example.com', details: { messageId: '<m@x>' } },
    ],
    ['with a list', { email: ['a@example.com'] }, { recipient: undefined, details: { email: ['a@example.com'] } }],
    ['that is an address', 'A@example.com', { recipient: 'a@example.com', details: {} }],
    ['that is a number', 7, { recipient: undefined, details: { entry: 7 } }],
    ['that is null', null, { recipient: undefined, details: { entry: null } }],
    ['that is a list', ['a@example.com'], { recipient: undefined, details: { entry: ['a@example.com'] } }],
    ['without anything', {}, { recipient: undefined, details: {} }],
  ])('of blocks, %s: a block list change that keeps the entry', (_, entry, expected) => {
    for (const eventType of ['blocks', 'blocks/cancel', 'blocks/delete']) {
      const event = normalizeCustomersMailCloud({ eventType, entry }, 'Asia/Tokyo');
      expect(event).toMatchObject({ kind: 'blocklisted', event: eventType, ...expected });
      expect(event).not.toHaveProperty('messageIds');
    }
  });

  test.each(['unblocks', 'blocks-of-text', 'x/blocks/cancel'])('of %s: not a block list change', (eventType) => {
    expect(normalizeCustomersMailCloud({ eventType, entry: {} }, 'Asia/Tokyo').kind).toBe('unrecognized');
  });

  test('of a mail to an address on the block list: dropped, however its brackets are escaped', () => {
    for (const [open, close] of [
      ['<', '>'],
      ['\\u003C', '\\u003E'],
      ['', ''],
    ] as const) {
      const entry = {
        created: '2023-01-25 14:06:06',
        messageId: '<m@example.com>',
        to: 'a@example.jp',
        status: 'failed',
        reason: `Recipient address ${open}a@example.jp${close} is suppressed to send mail. (in reply to RCPT TO)`,
      };
      expect(normalizeCustomersMailCloud({ eventType: 'deliveries', entry }, 'Asia/Tokyo')).toMatchObject({
        kind: 'failure',
        state: 'dropped',
        event: 'failed',
        reason: entry.reason,
        classification: { outcome: 'dropped', bounceClass: 'hard' },
      });
    }
  });

  test('may have several event types in one post, and one entry without a list', () => {
    const event = { deliveries: [{ status: 'queued' }], bounces: { status: '2' }, 'new type': [1, 2] };
    expect(acceptCustomersMailCloud(formPost({ api_key: 'old-key', event: JSON.stringify(event) }), ALL)).toEqual([
      { eventType: 'deliveries', entry: { status: 'queued' } },
      { eventType: 'bounces', entry: { status: '2' } },
      { eventType: 'new type', entry: 1 },
      { eventType: 'new type', entry: 2 },
    ]);
  });

  test('gives its event types in the field event, not in event_type', () => {
    const fields = { api_key: 'old-key', event_type: 'deliveries', event: '{"bounces":[{"status":"2"}]}' };
    expect(acceptCustomersMailCloud(formPost(fields), ALL)).toEqual([{ eventType: 'bounces', entry: { status: '2' } }]);
  });

  test('with names that have a meaning in JavaScript', () => {
    const event = '{"__proto__":[{"status":"1"}],"constructor":[{"status":"2"}]}';
    const form = new URLSearchParams([
      ['api_key', 'old-key'],
      ['__proto__', '{}'],
      ['constructor', '{}'],
      ['event', event],
    ]);
    const entries = acceptCustomersMailCloud(post(form.toString(), { 'content-type': FORM }), ALL);
    expect(entries.map(({ eventType }) => eventType)).toEqual(['__proto__', 'constructor']);
    for (const entry of entries) expect(normalizeCustomersMailCloud(entry, 'UTC').kind).toBe('unrecognized');
  });
});

describe('an entry', () => {
  const entry = {
    created: '2023-01-25 14:05:15',
    returnPath: 'info@return.pro.smtps.jp',
    from: 'info@example.com',
    to: 'User@Example.jp',
    messageId: '<id@example.com>',
    reason: '550 5.1.1 User unknown',
    status: '2',
    subject: 'Hello',
    apiData: '',
  };
  const normalize = (eventType: string, fields: Record<string, unknown> = {}, timeZone = 'Asia/Tokyo') =>
    normalizeCustomersMailCloud({ eventType, entry: { ...entry, ...fields } }, timeZone);
  const failure = (eventType: string, fields: Record<string, unknown> = {}): FailureEvent => {
    const event = normalize(eventType, fields);
    return event.kind === 'failure' ? event : expect.fail(`${event.kind}, and no failure`);
  };

  test.each([
    ['queued', 'progress', 'queued'],
    ['deferred', 'progress', 'deferred'],
    ['succeeded', 'progress', 'delivered'],
    ['failed', 'failure', 'failed'],
  ])('of deliveries with status %s is %s %s', (status, kind, state) => {
    expect(normalize('deliveries', { status })).toMatchObject({ kind, state, reason: entry.reason });
  });

  test.each<[string, FailureEvent['state']]>([
    ['1', 'bounced'],
    ['9', 'bounced'],
    ['10', 'dropped'],
    ['11', 'dropped'],
    ['99', 'bounced'],
    ['12', 'bounced'],
    ['', 'bounced'],
    ['toString', 'bounced'],
    ['queued', 'bounced'],
  ])('of bounces with status %j is %s', (status, state) => {
    expect(failure('bounces', { status })).toMatchObject({
      state,
      event: 'bounced',
      type: status,
      classification: { outcome: state },
    });
  });

  test('of version 1 names its recipient in envelopeTo, which is not repeated in the details', () => {
    const event = failure('bounces', { to: undefined, envelopeTo: 'User@Example.jp' });
    expect(event.recipient).toBe('user@example.jp');
    expect(event.details).not.toHaveProperty('envelopeTo');
  });

  test.each([
    ['<id@example.com>', '<id@example.com>', ['<id@example.com>']],
    ['<id@example.com>', '', ['<id@example.com>']],
    ['<id@example.com>', 'CMC00123', ['<id@example.com>', 'CMC00123']],
    ['<id@example.com>', '\\u003Cother@example.com\\u003E', ['<id@example.com>', '<other@example.com>']],
    ['', '<id@example.com>', ['<id@example.com>']],
    ['', '', []],
    [' ', ' ', []],
  ])('joins by its message id %j, or otherwise by its apiData %j', (messageId, apiData, messageIds) => {
    expect(failure('bounces', { messageId, apiData }).messageIds).toEqual(messageIds);
  });

  test.each([
    ['Asia/Tokyo', '2023-01-25 14:05:15', '2023-01-25T05:05:15Z'],
    ['UTC', '2023-01-25 14:05:15', '2023-01-25T14:05:15Z'],
    ['America/New_York', '2023-07-01 12:00:00', '2023-07-01T16:00:00Z'],
    ['America/New_York', '2023-11-05 01:30:00', '2023-11-05T05:30:00Z'],
    ['Europe/London', '2023-03-26 01:30:00', '2023-03-26T01:30:00Z'],
  ])('has its time in the time zone of the account: %s %s', (timeZone, created, instant) => {
    expect(normalize('bounces', { created }, timeZone)).toMatchObject({
      timestamp: Date.parse(instant) / 1000,
      eventId: `${created}#bounces#2`,
    });
  });

  test.each(['', 'yesterday', '2023-01-25', null, 1674623115])(
    'without a usable time (%j) is recorded without a time',
    (created) => {
      expect(failure('bounces', { created }).timestamp).toBeUndefined();
    },
  );

  test.each(['to', 'reason', 'status', 'subject', 'from', 'apiData', 'created', 'messageId'])(
    'with a %s of an undocumented type keeps it',
    (name) => {
      for (const value of [null, 7, {}, ['x'], true]) {
        expect(failure('bounces', { [name]: value }).details[name]).toEqual(value);
      }
    },
  );

  test('of an unknown field keeps it', () => {
    expect(failure('bounces', { newField: { a: 1 } }).details).toMatchObject({ newField: { a: 1 } });
  });

  test('without a recipient has its own key', () => {
    expect(failure('bounces', { to: '' })).toMatchObject({ fullMessageId: '<id@example.com>#', recipient: undefined });
  });

  test('has its own key for each recipient of a mail', () => {
    expect(failure('bounces', { to: 'a@example.jp' }).fullMessageId).not.toBe(
      failure('bounces', { to: 'b@example.jp' }).fullMessageId,
    );
  });

  test('has the same keys each time it comes', () => {
    expect(normalize('bounces')).toEqual(normalize('bounces'));
    expect(normalize('bounces', { messageId: '' })).toEqual(normalize('bounces', { messageId: '' }));
  });

  test('of progress without a message id is stored as it came: it has no story', () => {
    for (const messageId of ['', ' ']) {
      expect(normalize('deliveries', { messageId, status: 'queued' }).kind).toBe('unrecognized');
    }
  });

  test.each([
    ['deliveries', 'bounced'],
    ['deliveries', ''],
    ['deliveries', 'constructor'],
    ['opens', '1'],
    ['', '1'],
    ['Bounces', '1'],
    ['toString', '1'],
    ['__proto__', '1'],
  ])('of %j with status %j is stored as it came', (eventType, status) => {
    const received = { eventType, entry: { ...entry, status } };
    const key = keyOfContent(received);
    expect(normalizeCustomersMailCloud(received, 'UTC')).toEqual({
      ...PROVIDER,
      kind: 'unrecognized',
      fullMessageId: key,
      eventId: key,
      rawEvent: JSON.stringify(Object.fromEntries([[eventType, [received.entry]]])),
    });
  });

  test.each([null, 7, 'queued', true, [], [{}]])('that is not an object is stored as it came: %j', (received) => {
    expect(normalizeCustomersMailCloud({ eventType: 'bounces', entry: received }, 'UTC')).toMatchObject({
      kind: 'unrecognized',
      rawEvent: JSON.stringify({ bounces: [received] }),
    });
  });

  test.each([{}, { unknown: 'shape' }])(
    'that names neither a mail nor a recipient is stored as it came: %j',
    (received) => {
      expect(normalizeCustomersMailCloud({ eventType: 'bounces', entry: received }, 'UTC')).toMatchObject({
        kind: 'unrecognized',
        rawEvent: JSON.stringify({ bounces: [received] }),
      });
    },
  );

  test('that is nested 10,000 deep is stored as it came, under its own key', () => {
    const deep = (value: string) => JSON.parse(`{"a":${'['.repeat(10_000)}"${value}"${']'.repeat(10_000)}}`);
    const [one, two] = ['one', 'two'].map((value) =>
      normalizeCustomersMailCloud({ eventType: 'new', entry: deep(value) }, 'UTC'),
    );
    if (one?.kind !== 'unrecognized' || two?.kind !== 'unrecognized') return expect.fail('is recognized');
    expect(one.fullMessageId).not.toBe(two.fullMessageId);
    expect(one.rawEvent.includes('one')).toBe(true);
  });
});

describe('for any post of Customers Mail Cloud', () => {
  const field = (arbitrary: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 3, arbitrary }, { weight: 1, arbitrary: anyJson });
  const text = field(
    fc.oneof(
      anyText,
      anyText.map((value) => value.repeat(2_000)),
    ),
  );
  const known = fc.record(
    {
      created: field(fc.constantFrom('2023-01-25 14:05:15', '9999-12-31 23:59:59', '0000-00-00 00:00:00', '')),
      messageId: text,
      apiData: text,
      status: field(fc.constantFrom('queued', 'deferred', 'succeeded', 'failed', '1', '10', '99')),
      reason: text,
      subject: text,
      from: text,
      to: text,
      envelopeFrom: text,
      envelopeTo: text,
      email: text,
    },
    { requiredKeys: [] },
  );
  const received = fc.record({
    eventType: fc.oneof(fc.constantFrom('deliveries', 'bounces', 'blocks'), anyText),
    entry: fc.oneof(
      {
        weight: 4,
        arbitrary: fc
          .tuple(known, fc.dictionary(anyText, anyJson, { maxKeys: 3 }))
          .map(([a, b]): unknown => ({ ...b, ...a })),
      },
      { weight: 1, arbitrary: anyJson },
    ),
  });
  const time = { receivedAtMs: 1_674_623_115_000, retentionDays: 180 };

  test('each event is normalized, and every key is within the limits of DynamoDB', () => {
    holdsForAll(
      received,
      (entry) => {
        const event = withStorableKeys(normalizeCustomersMailCloud(entry, 'Asia/Tokyo'));
        if (event.kind === 'ignored') return expect.fail('is ignored');
        expect(event.fullMessageId).not.toBe('');
        expect(event.eventId).not.toBe('');
        expect(Buffer.byteLength(event.fullMessageId)).toBeLessThanOrEqual(2048);
        expect(Buffer.byteLength(event.eventId)).toBeLessThanOrEqual(1024);
        if (event.kind === 'unrecognized') return;
        if (event.kind === 'progress') expect(event.messageIds).not.toEqual([]);
        const messageIds = 'messageIds' in event ? event.messageIds : [];
        for (const key of [...messageIds, ...(event.recipient === undefined ? [] : [event.recipient])]) {
          expect(key).not.toBe('');
          expect(key.isWellFormed()).toBe(true);
          expect(Buffer.byteLength(key)).toBeLessThanOrEqual(2048);
        }
      },
      1_000,
    );
  });

  test('the result is the same each time', () => {
    holdsForAll(received, (entry) => {
      expect(normalizeCustomersMailCloud(entry, 'Asia/Tokyo')).toEqual(
        normalizeCustomersMailCloud(entry, 'Asia/Tokyo'),
      );
    });
  });

  test('DynamoDB accepts the rows', () => {
    holdsForAll(
      received,
      (entry) => {
        const event = withStorableKeys(normalizeCustomersMailCloud(entry, 'Asia/Tokyo'));
        if (event.kind === 'ignored') return expect.fail('is ignored');
        if (event.kind === 'unrecognized') return expectStorable(unrecognizedRow(event, time));
        if (event.kind === 'blocklisted') return expectStorable(blocklistedRow(event, time));
        if (event.kind === 'failure') expectStorable(bounceRow(event, undefined, time));
        expectStorable(storyRow(event, 'id', time));
      },
      1_000,
    );
  });
});
