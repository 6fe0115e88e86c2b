import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mailboxKey } from '../../../lambda/mail/address.ts';
import type { BlocklistedEvent, FailureEvent, ProgressEvent, UnrecognizedEvent } from '../../../lambda/mail/event.ts';
import { dayKey } from '../../../lambda/recording/keys.ts';
import {
  blocklistedRow,
  bounceRow,
  expirySeconds,
  joinedAttributes,
  type LoggedMail,
  loggedMail,
  logRow,
  logRowDefaults,
  refusalEvent,
  type SentMail,
  storyRow,
  suppressedEvent,
  unrecognizedRow,
} from '../../../lambda/recording/rows.ts';
import { anyJson, anyText, holdsForAll } from '../mail/property.ts';
import { expectStorable } from './stored-row.ts';

const DAY_S = 86_400;
/** 2023-01-25T05:05:15Z, in seconds. */
const OCCURRED_AT = 1674623115;
/** A minute later. */
const time = { receivedAtMs: (OCCURRED_AT + 60) * 1000, retentionDays: 180 };

const sendGridBounce: FailureEvent = {
  kind: 'failure',
  state: 'bounced',
  provider: 'sendgrid',
  messageIds: ['LRzXl_NHStOGhQ4kofSm_A'],
  fullMessageId: 'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0',
  eventId: 'Ym91bmNlLTAtMTk5NDIxMTI',
  recipient: 'ann@example.com',
  reason: '550 5.1.1 User unknown',
  timestamp: OCCURRED_AT,
  event: 'bounce',
  type: 'bounce',
  classification: {
    outcome: 'bounced',
    bounceClass: 'hard',
    cause: 'address-unknown',
    smtpCode: '550',
    enhancedStatusCode: '5.1.1',
  },
  mailId: 'welcome-1',
  details: { status: '5.1.1', tls: 1, ip: '192.0.2.1' },
};

const customersMailCloudBounce: FailureEvent = {
  kind: 'failure',
  state: 'bounced',
  provider: 'customers-mail-cloud',
  messageIds: ['<8f902ee7@example.com>'],
  fullMessageId: '<8f902ee7@example.com>#ann@example.com',
  eventId: '2023-01-25 14:05:15#bounces#1',
  recipient: 'ann@example.com',
  reason: 'host unknown',
  timestamp: OCCURRED_AT,
  event: 'bounced',
  type: '1',
  classification: {
    outcome: 'bounced',
    bounceClass: 'hard',
    cause: 'domain-unknown',
    smtpCode: undefined,
    enhancedStatusCode: undefined,
  },
  fromEmail: 'return@example.com',
  subject: 'Subject of the event',
  details: { created: '2023-01-25 14:05:15', apiData: '', status: '1' },
};

const mail: LoggedMail = {
  messageId: 'LRzXl_NHStOGhQ4kofSm_A',
  mailId: 'welcome-1',
  from: { email: 'shop@example.com', name: 'Shop' },
  recipients: [
    { email: 'bob@example.com', name: 'Bob' },
    { email: 'Ann@Example.com', name: 'Ann' },
  ],
  subject: 'Subject of the mail',
};

describe('a Bounce row', () => {
  const DAY = /^2023-01-25#[0-7]$/;

  test('of SendGrid, whose mail is not logged', () => {
    expect(bounceRow(sendGridBounce, undefined, time)).toEqual({
      fullMessageId: 'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0',
      eventId: 'Ym91bmNlLTAtMTk5NDIxMTI',
      messageId: 'LRzXl_NHStOGhQ4kofSm_A',
      event: 'bounce',
      type: 'bounce',
      timestamp: OCCURRED_AT,
      toEmail: 'ann@example.com',
      reason: '550 5.1.1 User unknown',
      provider: 'sendgrid',
      outcome: 'bounced',
      bounceClass: 'hard',
      cause: 'address-unknown',
      smtpCode: '550',
      enhancedStatusCode: '5.1.1',
      matched: false,
      mailId: 'welcome-1',
      occurredAt: '2023-01-25T05:05:15.000Z',
      receivedAt: '2023-01-25T05:06:15.000Z',
      expiresAt: OCCURRED_AT + 180 * DAY_S,
      day: expect.stringMatching(DAY),
      details: { status: '5.1.1', tls: 1, ip: '192.0.2.1' },
    });
  });

  test('of SendGrid, joined with its mail', () => {
    expect(bounceRow(sendGridBounce, mail, time)).toEqual({
      ...bounceRow(sendGridBounce, undefined, time),
      matched: true,
      toName: 'Ann',
      fromEmail: 'shop@example.com',
      fromName: 'Shop',
      subject: 'Subject of the mail',
    });
  });

  test('of Customers Mail Cloud, whose mail is not logged', () => {
    expect(bounceRow(customersMailCloudBounce, undefined, time)).toEqual({
      fullMessageId: '<8f902ee7@example.com>#ann@example.com',
      eventId: '2023-01-25 14:05:15#bounces#1',
      messageId: '<8f902ee7@example.com>',
      event: 'bounced',
      type: '1',
      timestamp: OCCURRED_AT,
      toEmail: 'ann@example.com',
      fromEmail: 'return@example.com',
      subject: 'Subject of the event',
      reason: 'host unknown',
      provider: 'customers-mail-cloud',
      outcome: 'bounced',
      bounceClass: 'hard',
      cause: 'domain-unknown',
      matched: false,
      occurredAt: '2023-01-25T05:05:15.000Z',
      receivedAt: '2023-01-25T05:06:15.000Z',
      expiresAt: OCCURRED_AT + 180 * DAY_S,
      day: expect.stringMatching(DAY),
      details: { created: '2023-01-25 14:05:15', apiData: '', status: '1' },
    });
  });

  test("of Customers Mail Cloud, joined with its mail: the log row's values take precedence over the event's", () => {
    const logged = { ...mail, messageId: '<8f902ee7@example.com>' };
    expect(bounceRow(customersMailCloudBounce, logged, time)).toEqual({
      ...bounceRow(customersMailCloudBounce, undefined, time),
      matched: true,
      mailId: 'welcome-1',
      toName: 'Ann',
      fromEmail: 'shop@example.com',
      fromName: 'Shop',
      subject: 'Subject of the mail',
    });
  });

  test('joined by the second of two message ids has the logged one', () => {
    const event = { ...customersMailCloudBounce, messageIds: ['<other@example.com>', '<8f902ee7@example.com>'] };
    expect(bounceRow(event, undefined, time).messageId).toBe('<other@example.com>');
    expect(bounceRow(event, { ...mail, messageId: '<8f902ee7@example.com>' }, time).messageId).toBe(
      '<8f902ee7@example.com>',
    );
  });

  test("keeps the event's value if the log row has none", () => {
    const bare: LoggedMail = {
      messageId: '<8f902ee7@example.com>',
      from: undefined,
      recipients: [],
      subject: undefined,
    };
    expect(bounceRow({ ...customersMailCloudBounce, mailId: 'welcome-1' }, bare, time)).toEqual({
      ...bounceRow(customersMailCloudBounce, undefined, time),
      matched: true,
      mailId: 'welcome-1',
    });
  });

  test('without a recipient has no toEmail: it is the key of an index', () => {
    const row = bounceRow({ ...sendGridBounce, recipient: undefined }, mail, time);
    expect(row.toEmail).toBeUndefined();
    expect(row).not.toHaveProperty('toName');
  });

  test('without a message id has no messageId', () => {
    expect(bounceRow({ ...sendGridBounce, messageIds: [] }, undefined, time).messageId).toBeUndefined();
  });

  test('without a time has the time of receipt, and no timestamp', () => {
    const row = bounceRow({ ...sendGridBounce, timestamp: undefined }, undefined, time);
    expect(row).toMatchObject({ occurredAt: '2023-01-25T05:06:15.000Z', receivedAt: '2023-01-25T05:06:15.000Z' });
    expect(row.timestamp).toBeUndefined();
  });

  test('is the same each time the event comes, except for receivedAt', () => {
    const again = bounceRow(sendGridBounce, mail, { ...time, receivedAtMs: time.receivedAtMs + 3_600_000 });
    expect(again).toEqual({ ...bounceRow(sendGridBounce, mail, time), receivedAt: '2023-01-25T06:06:15.000Z' });
  });

  test('has a mark if something was shortened', () => {
    expect(bounceRow(sendGridBounce, mail, time)).not.toHaveProperty('shortened');
    const longReason = bounceRow({ ...sendGridBounce, reason: `550 5.1.1 ${'x'.repeat(450_000)}` }, mail, time);
    expect(longReason).toMatchObject({
      shortened: true,
      reason: expect.stringMatching(/\(shortened, 450010 bytes\)$/),
    });
    const longDetails = bounceRow({ ...sendGridBounce, details: { text: 'x'.repeat(450_000) } }, mail, time);
    expect(longDetails).toMatchObject({ shortened: true });
  });
});

describe('DynamoDB accepts the Bounce row', () => {
  const HUGE = 'あ'.repeat(150_000);

  test.each<[string, Partial<FailureEvent>]>([
    ['reason', { reason: HUGE }],
    ['details', { details: { text: HUGE } }],
    ['reason and details', { reason: HUGE, details: { a: HUGE, b: HUGE } }],
    ['type', { type: HUGE }],
    ['subject', { subject: HUGE }],
    ['sender', { fromEmail: HUGE }],
    ['mail id', { mailId: HUGE }],
  ])('of an event whose %s is 450 KB', (_, fields) => {
    expectStorable(bounceRow({ ...sendGridBounce, ...fields }, undefined, time));
  });

  test.each<[string, Partial<LoggedMail>]>([
    ['subject', { subject: 'あ'.repeat(120_000) }],
    ['mail id', { mailId: 'あ'.repeat(120_000) }],
    ["sender's name", { from: { email: 'shop@example.com', name: 'あ'.repeat(120_000) } }],
    ["recipient's name", { recipients: [{ email: 'ann@example.com', name: 'あ'.repeat(120_000) }] }],
  ])('whose mail was logged with a %s of 360 KB', (_, fields) => {
    const event = { ...sendGridBounce, reason: 'x'.repeat(90_000) };
    expectStorable(bounceRow(event, { ...mail, ...fields }, time));
  });

  test('for any texts in the event', () => {
    const texts = fc.record({ reason: anyText, type: anyText, subject: anyText, fromEmail: anyText, mailId: anyText });
    holdsForAll(texts, (fields) => expectStorable(bounceRow({ ...sendGridBounce, ...fields }, undefined, time)));
  });

  test('for any details in the event', () => {
    holdsForAll(fc.dictionary(anyText, anyJson), (details) => {
      expectStorable(bounceRow({ ...sendGridBounce, details }, mail, time));
    });
  });

  test.each(['constructor', '__proto__', 'prototype', 'toString', 'hasOwnProperty', ''])(
    'of an event with a custom argument named %j',
    (name) => {
      const details = Object.fromEntries([[name, 'value']]);
      expectStorable(bounceRow({ ...sendGridBounce, details: { ...details, list: [details] } }, mail, time));
    },
  );
});

describe('the retention and the day of a row', () => {
  const row = (timestamp: number | undefined, retentionDays = 180) =>
    bounceRow({ ...sendGridBounce, timestamp }, undefined, { ...time, retentionDays });
  const received = OCCURRED_AT + 60;

  test.each([
    ['a minute before its receipt', received - 60, received - 60],
    ['a week before its receipt', received - 7 * DAY_S, received - 7 * DAY_S],
    ['a week after its receipt', received + 7 * DAY_S, received + 7 * DAY_S],
    ['more than a week before its receipt', received - 7 * DAY_S - 1, received],
    ['more than a week after its receipt', received + 7 * DAY_S + 1, received],
    ['in 1970', 1, received],
    ['in 9999', 253_402_300_799, received],
    ['at no known time', undefined, received],
  ])('is 180 days from its event if that was %s, otherwise from its receipt', (_, timestamp, start) => {
    expect(row(timestamp).expiresAt).toBe(start + 180 * DAY_S);
  });

  test('is unlimited if retentionDays is 0', () => {
    expect(row(OCCURRED_AT, 0).expiresAt).toBeUndefined();
    expect(expirySeconds(Date.now(), 0)).toBeUndefined();
  });

  test('ends at a whole second', () => {
    expect(expirySeconds(1_674_623_115_999, 1)).toBe(1_674_623_115 + DAY_S);
  });

  test('has the day of its event, even an implausible one', () => {
    expect(row(1).day).toMatch(/^1970-01-01#[0-7]$/);
    expect(row(253_402_300_799).day).toMatch(/^9999-12-31#[0-7]$/);
  });

  test('has the same part of the day each time the event comes', () => {
    const { fullMessageId, eventId } = sendGridBounce;
    expect(row(OCCURRED_AT).day).toBe(dayKey('2023-01-25T05:05:15.000Z', fullMessageId + eventId));
  });
});

describe('an unrecognized event', () => {
  const event: UnrecognizedEvent = {
    kind: 'unrecognized',
    provider: 'sendgrid',
    fullMessageId: 'sha256:0123456789abcdef0123456789abcdef',
    eventId: 'MjEzNTg5OTcyOC10ZXJtaW5hdGUtMTcwNzg1MTUzMQ',
    rawEvent: '{"event":"account_status_change","timestamp":1709142428}',
  };

  test('is a Bounce row with its raw JSON', () => {
    expect(unrecognizedRow(event, time)).toEqual({
      fullMessageId: event.fullMessageId,
      eventId: event.eventId,
      provider: 'sendgrid',
      outcome: 'unrecognized',
      matched: false,
      occurredAt: '2023-01-25T05:06:15.000Z',
      receivedAt: '2023-01-25T05:06:15.000Z',
      expiresAt: OCCURRED_AT + 60 + 180 * DAY_S,
      day: dayKey('2023-01-25T05:06:15.000Z', event.fullMessageId + event.eventId),
      rawEvent: event.rawEvent,
    });
  });

  test('is shortened and marked if it is too large for a row', () => {
    const row = unrecognizedRow({ ...event, rawEvent: JSON.stringify('あ'.repeat(1_000_000)) }, time);
    expect(row).toMatchObject({ shortened: true, rawEvent: expect.stringMatching(/… \(shortened, 3000002 bytes\)$/) });
    expectStorable(row);
  });

  test('can be stored, for any content', () => {
    holdsForAll(anyText, (rawEvent) => expectStorable(unrecognizedRow({ ...event, rawEvent }, time)));
  });
});

describe('a block list change', () => {
  const event: BlocklistedEvent = {
    kind: 'blocklisted',
    provider: 'customers-mail-cloud',
    fullMessageId: 'sha256:0123456789abcdef0123456789abcdef',
    eventId: '2023-01-25 14:05:15#blocks#2',
    recipient: 'ann@example.com',
    reason: '',
    timestamp: OCCURRED_AT,
    event: 'blocks',
    type: '2',
    details: { created: '2023-01-25 14:05:15', id: 'cp0ihzuyl3445', status: '2' },
  };

  test('is a Bounce row of an address, without a class, and neither matched nor unmatched', () => {
    expect(blocklistedRow(event, time)).toEqual({
      fullMessageId: event.fullMessageId,
      eventId: event.eventId,
      provider: 'customers-mail-cloud',
      event: 'blocks',
      type: '2',
      outcome: 'blocklisted',
      reason: '',
      timestamp: OCCURRED_AT,
      toEmail: 'ann@example.com',
      occurredAt: '2023-01-25T05:05:15.000Z',
      receivedAt: '2023-01-25T05:06:15.000Z',
      expiresAt: OCCURRED_AT + 180 * DAY_S,
      day: dayKey('2023-01-25T05:05:15.000Z', event.fullMessageId + event.eventId),
      details: event.details,
    });
  });

  test('is shortened and marked if it is too large for a row', () => {
    const row = blocklistedRow({ ...event, details: { entry: 'あ'.repeat(1_000_000) } }, time);
    expect(row.shortened).toBe(true);
    expectStorable(row);
    expect(blocklistedRow({ ...event, reason: 'あ'.repeat(1_000_000) }, time).shortened).toBe(true);
  });
});

describe("an event in its mail's story", () => {
  const delivered: ProgressEvent = {
    kind: 'progress',
    state: 'delivered',
    provider: 'sendgrid',
    messageIds: ['LRzXl_NHStOGhQ4kofSm_A'],
    fullMessageId: 'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1.0',
    eventId: 'ZGVsaXZlcmVk',
    recipient: 'ann@example.com',
    reason: '250 OK',
    timestamp: OCCURRED_AT,
  };

  test('of SendGrid', () => {
    expect(storyRow(delivered, 'LRzXl_NHStOGhQ4kofSm_A', time)).toEqual({
      messageId: 'LRzXl_NHStOGhQ4kofSm_A',
      entry: 'event#2023-01-25T05:05:15.000Z#ZGVsaXZlcmVk',
      state: 'delivered',
      recipient: 'ann@example.com',
      provider: 'sendgrid',
      reason: '250 OK',
      fullMessageId: 'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1.0',
      eventId: 'ZGVsaXZlcmVk',
      expiresAt: OCCURRED_AT + 180 * DAY_S,
    });
  });

  test('of Customers Mail Cloud, one for each recipient', () => {
    const entries = ['ann@example.com', 'bob@example.com', undefined].map(
      (recipient) => storyRow({ ...customersMailCloudBounce, recipient }, '<8f902ee7@example.com>', time).entry,
    );
    expect(entries).toEqual([
      'event#2023-01-25T05:05:15.000Z#2023-01-25 14:05:15#bounces#1#ann@example.com',
      'event#2023-01-25T05:05:15.000Z#2023-01-25 14:05:15#bounces#1#bob@example.com',
      'event#2023-01-25T05:05:15.000Z#2023-01-25 14:05:15#bounces#1#',
    ]);
  });

  test('without a time has the same key each time it comes', () => {
    const undated = { ...delivered, timestamp: undefined };
    const entries = [0, 1, 2].map((hours) => {
      return storyRow(undated, 'id', { ...time, receivedAtMs: time.receivedAtMs + hours * 3_600_000 }).entry;
    });
    expect(new Set(entries)).toEqual(new Set(['event#undated#ZGVsaXZlcmVk']));
  });

  test('is sorted by time', () => {
    const entries = [OCCURRED_AT, 1, OCCURRED_AT + 1, 999_999_999].map(
      (timestamp) => storyRow({ ...delivered, timestamp }, 'id', time).entry,
    );
    expect(entries.toSorted()).toEqual([entries[1], entries[3], entries[0], entries[2]]);
  });

  test('has the start of a long reply', () => {
    expect(storyRow({ ...delivered, reason: 'x'.repeat(1_000) }, 'id', time).reason).toBe('x'.repeat(300));
    expect(storyRow({ ...delivered, reason: `${'x'.repeat(299)}😀` }, 'id', time).reason).toBe(
      `${'x'.repeat(299)}\ufffd`,
    );
  });

  test('has a key within the limits of DynamoDB and can be stored, for any texts', () => {
    const texts = fc.record({
      eventId: fc.oneof(anyText, fc.constant('あ'.repeat(341))),
      recipient: anyText,
      reason: anyText,
    });
    holdsForAll(texts, (fields) => {
      // In the form that the providers' code returns: the key and the recipient are already bounded and well-formed.
      const wellFormed = { eventId: fields.eventId.toWellFormed(), recipient: fields.recipient.toWellFormed() };
      const row = storyRow({ ...customersMailCloudBounce, ...fields, ...wellFormed }, 'id', time);
      expect(Buffer.byteLength(row.entry)).toBeLessThanOrEqual(1024);
      expectStorable(row);
    });
  });
});

describe('a recipient that was refused at the handover', () => {
  const mail = { provider: 'customers-mail-cloud', messageId: '<8f902ee7@example.com>' } as const;
  const ann = { recipient: 'Ann@Example.com', reply: '550 5.1.1 User unknown' };

  test('is a failed event of the story', () => {
    expect(storyRow(refusalEvent(ann, mail, OCCURRED_AT * 1000 + 500), mail.messageId, time)).toEqual({
      messageId: '<8f902ee7@example.com>',
      entry: 'event#2023-01-25T05:05:15.000Z#handover#failed#ann@example.com',
      state: 'failed',
      recipient: 'ann@example.com',
      provider: 'customers-mail-cloud',
      reason: '550 5.1.1 User unknown',
      fullMessageId: '<8f902ee7@example.com>#ann@example.com',
      eventId: 'handover#failed',
      expiresAt: OCCURRED_AT + 180 * DAY_S,
    });
  });

  test('is a Bounce row, under the keys of Customers Mail Cloud and classified by the reply', () => {
    expect(bounceRow(refusalEvent(ann, mail, OCCURRED_AT * 1000), undefined, time)).toMatchObject({
      fullMessageId: '<8f902ee7@example.com>#ann@example.com',
      eventId: 'handover#failed',
      messageId: '<8f902ee7@example.com>',
      event: 'failed',
      type: 'handover',
      outcome: 'failed',
      bounceClass: 'hard',
      cause: 'address-unknown',
      smtpCode: '550',
      enhancedStatusCode: '5.1.1',
      toEmail: 'ann@example.com',
    });
  });

  test.each(['', `${'a'.repeat(3_000)}@example.com`])('can be stored', (recipient) => {
    const event = refusalEvent({ ...ann, recipient }, mail, OCCURRED_AT * 1000);
    expectStorable(storyRow(event, mail.messageId, time));
    expectStorable(bounceRow(event, undefined, time));
  });

  test('is a failure like any other, without a recipient if its address is empty', () => {
    expect(refusalEvent(ann, mail, 0)).toMatchObject({ kind: 'failure', recipient: 'ann@example.com' });
    expect(refusalEvent({ ...ann, recipient: '' }, mail, 0).recipient).toBeUndefined();
  });

  test('has its own entry beside the others', () => {
    const entries = ['ann@example.com', 'bob@example.com'].map(
      (recipient) =>
        storyRow(refusalEvent({ ...ann, recipient }, mail, OCCURRED_AT * 1000), mail.messageId, time).entry,
    );
    expect(new Set(entries).size).toBe(2);
  });
});

describe('a recipient that was left out because it is suppressed', () => {
  const sent = { provider: 'sendgrid', messageId: 'LRzXl_NHStOGhQ4kofSm_A' } as const;
  const reason = 'suppressed since 2023-01-20';

  test('is a dropped event of the story and of the Bounce table, which says why', () => {
    const event = suppressedEvent({ recipient: 'Ann@Example.com', reason }, sent, OCCURRED_AT * 1000);
    expect(event).toEqual({
      kind: 'failure',
      state: 'dropped',
      provider: 'sendgrid',
      messageIds: ['LRzXl_NHStOGhQ4kofSm_A'],
      fullMessageId: 'LRzXl_NHStOGhQ4kofSm_A#ann@example.com',
      eventId: 'suppressed#ann@example.com',
      event: 'dropped',
      type: 'suppressed',
      recipient: 'ann@example.com',
      reason: 'Todoke did not send to this address: it is suppressed since 2023-01-20',
      timestamp: OCCURRED_AT,
      classification: {
        outcome: 'dropped',
        bounceClass: 'undetermined',
        cause: 'suppressed',
        smtpCode: undefined,
        enhancedStatusCode: undefined,
      },
      details: {},
    });
  });

  test('has its own entry beside the others', () => {
    const entries = ['ann@example.com', 'bob@example.com'].map(
      (recipient) => storyRow(suppressedEvent({ recipient, reason }, sent, 0), sent.messageId, time).entry,
    );
    expect(new Set(entries).size).toBe(2);
  });
});

describe('a log row', () => {
  const sent = {
    messageId: '<8f902ee7@example.com>',
    provider: 'customers-mail-cloud',
    mailId: 'welcome-1',
    from: { email: 'shop@example.com', name: 'Shop' },
    to: [{ email: 'ann@example.com', name: 'Ann' }, { email: 'bob@example.com' }],
    cc: [],
    bcc: [{ email: 'dora@example.com' }],
    subject: 'Hello',
  } satisfies SentMail;

  test('has its addresses as JSON strings, and no empty list', () => {
    expect(logRow(sent, OCCURRED_AT * 1000, 180)).toEqual({
      messageId: '<8f902ee7@example.com>',
      entry: 'mail',
      provider: 'customers-mail-cloud',
      mailId: 'welcome-1',
      from: '{"email":"shop@example.com","name":"Shop"}',
      to: '[{"email":"ann@example.com","name":"Ann"},{"email":"bob@example.com"}]',
      cc: undefined,
      bcc: '[{"email":"dora@example.com"}]',
      subject: 'Hello',
      sentAt: '2023-01-25T05:05:15.000Z',
      expiresAt: OCCURRED_AT + 180 * DAY_S,
      day: expect.stringMatching(/^2023-01-25#[0-7]$/),
    });
  });

  test('is read as it was written', () => {
    expect(loggedMail(logRow(sent, OCCURRED_AT * 1000, 180))).toEqual({
      messageId: '<8f902ee7@example.com>',
      mailId: 'welcome-1',
      from: { email: 'shop@example.com', name: 'Shop' },
      recipients: [
        { email: 'ann@example.com', name: 'Ann' },
        { email: 'bob@example.com' },
        { email: 'dora@example.com' },
      ],
      subject: 'Hello',
    });
  });

  test('of 1,000 recipients with long names and addresses is within the limits of DynamoDB', () => {
    const to = Array.from({ length: 1_000 }, (_, i) => ({
      email: `${String(i).padStart(60, 'x')}@${'example.'.repeat(20)}com`,
      name: 'あ'.repeat(30),
    }));
    expectStorable(logRow({ ...sent, to }, OCCURRED_AT * 1000, 180));
  });

  test('gets the fields that its application left out', () => {
    expect(logRowDefaults('<8f902ee7@example.com>', OCCURRED_AT * 1000, 180)).toEqual({
      sentAt: '2023-01-25T05:05:15.000Z',
      expiresAt: OCCURRED_AT + 180 * DAY_S,
      day: dayKey('2023-01-25T05:05:15.000Z', '<8f902ee7@example.com>'),
    });
    expect(logRowDefaults('id', OCCURRED_AT * 1000, 0).expiresAt).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>, Partial<LoggedMail>]>([
    [
      'plain addresses',
      { from: 'Shop <shop@example.com>', to: 'ann@example.com' },
      { recipients: [{ email: 'ann@example.com' }] },
    ],
    ['maps', { from: { email: 'shop@example.com', name: 'Shop' }, to: [{ email: 'ann@example.com' }] }, {}],
    ['several senders', { from: 'Shop <shop@example.com>, other@example.com', to: 'ann@example.com' }, {}],
    [
      'recipients everywhere',
      { to: 'a@example.com', cc: 'b@example.com', bcc: ['c@example.com'] },
      {
        from: undefined,
        recipients: [{ email: 'a@example.com' }, { email: 'b@example.com' }, { email: 'c@example.com' }],
      },
    ],
    ['nothing', { subject: undefined }, { from: undefined, recipients: [], subject: undefined }],
    [
      'nonsense',
      { from: 7, to: { a: 1 }, subject: ['x'], mailId: 3 },
      { from: undefined, recipients: [], subject: undefined },
    ],
  ])('of another program is read with %s', (_, row, expected) => {
    expect(loggedMail({ messageId: 'id', subject: 'Hello', ...row })).toEqual({
      messageId: 'id',
      from: { email: 'shop@example.com', name: 'Shop' },
      recipients: [{ email: 'ann@example.com' }],
      subject: 'Hello',
      ...expected,
    });
  });
});

describe('the fields that a join adds to a failure', () => {
  test("are the sender, the recipient's name and the subject", () => {
    expect(joinedAttributes(mail, 'ann@example.com')).toEqual({
      messageId: 'LRzXl_NHStOGhQ4kofSm_A',
      matched: true,
      mailId: 'welcome-1',
      toName: 'Ann',
      fromEmail: 'shop@example.com',
      fromName: 'Shop',
      subject: 'Subject of the mail',
    });
  });

  test.each([
    ['太郎 <taro@例え.jp>', '太郎', 'taro@xn--r8jz45g.jp'],
    ['太郎 <taro@xn--r8jz45g.jp>', '太郎', 'taro@例え.jp'],
    ['佐藤花子 <"ab..cde"@docomo.example.jp>', '佐藤花子', 'ab..cde@docomo.example.jp'],
    ['佐藤花子 <ab..cde@docomo.example.jp>', '佐藤花子', '"ab..cde"@docomo.example.jp'],
    ['山田　太郎 <bounce@example.com>', '山田　太郎', 'bounce@example.com'],
  ])('include the name in %s, for any form of the address in the event', (to, name, recipient) => {
    const logged = loggedMail({ messageId: 'id', to: [to] });
    expect(joinedAttributes(logged, mailboxKey(recipient)).toName).toBe(name);
  });

  test.each([undefined, 'carl@example.com'])('include no name for the recipient %s', (recipient) => {
    expect(joinedAttributes(mail, recipient).toName).toBeUndefined();
  });
});
