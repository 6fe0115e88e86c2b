import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOfContent } from '../../../../lambda/mail/content-key.ts';
import type { FailureEvent, MailEvent } from '../../../../lambda/mail/event.ts';
import { normalizeSendGrid } from '../../../../lambda/providers/sendgrid/events.ts';
import { parseSendGrid } from '../../../../lambda/providers/sendgrid/webhook.ts';
import { withStorableKeys } from '../../../../lambda/recording/keys.ts';
import { bounceRow, storyRow, unrecognizedRow } from '../../../../lambda/recording/rows.ts';
import { anyJson, anyText, holdsForAll } from '../../mail/property.ts';
import { expectStorable } from '../../recording/stored-row.ts';
import { sendGridEvents, signatureVector } from '../fixtures.ts';
import { JSON_TYPE, post } from '../requests.ts';

const FAILURE = { kind: 'failure', provider: 'sendgrid' } as const;
const PROGRESS = { kind: 'progress', provider: 'sendgrid' } as const;

/** The event id as docs/design.md defines it, from the time as sent, the event, the message, the recipient and the reply. */
const eventIdOf = (...facts: [time: unknown, event: string, message: string, recipient: string, reply: string]) =>
  `sha256:${createHash('sha256').update(facts.join('\n')).digest('hex').slice(0, 32)}`;

describe("an event of the reference's examples", () => {
  const DOTTED = '14c5d75ce93.dfd.64b469';
  const event = (name: string, type?: string) => {
    const found = sendGridEvents('reference-each-event').find(
      (candidate) => candidate['event'] === name && (type === undefined || candidate['type'] === type),
    );
    return normalizeSendGrid(found);
  };

  test('processed', () => {
    expect(event('processed')).toEqual({
      ...PROGRESS,
      state: 'queued',
      messageIds: [DOTTED],
      fullMessageId: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.000000000000000000000',
      eventId: eventIdOf(
        1513299569,
        'processed',
        '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.000000000000000000000',
        'example@test.com',
        '',
      ),
      recipient: 'example@test.com',
      reason: '',
      timestamp: 1513299569,
    });
  });

  test('deferred', () => {
    expect(event('deferred')).toEqual({
      ...PROGRESS,
      state: 'deferred',
      messageIds: [DOTTED],
      fullMessageId: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
      eventId: eventIdOf(
        1513299569,
        'deferred',
        '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
        'example@example.com',
        '400 try again later',
      ),
      recipient: 'example@example.com',
      reason: '400 try again later',
      timestamp: 1513299569,
    });
  });

  test('delivered', () => {
    expect(event('delivered')).toMatchObject({
      ...PROGRESS,
      state: 'delivered',
      messageIds: [DOTTED],
      eventId: eventIdOf(
        1513299569,
        'delivered',
        '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
        'example@test.com',
        '250 OK',
      ),
      reason: '250 OK',
    });
  });

  test('bounce', () => {
    expect(event('bounce', 'bounce')).toEqual({
      ...FAILURE,
      state: 'bounced',
      messageIds: [DOTTED],
      fullMessageId: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
      eventId: 'sha256:529e5c2b22aa6f67f89af76c9b7d2181',
      recipient: 'example@test.com',
      reason: '500 unknown recipient',
      timestamp: 1513299569,
      event: 'bounce',
      type: 'bounce',
      classification: {
        outcome: 'bounced',
        bounceClass: 'hard',
        cause: 'address-unknown',
        smtpCode: '500',
        enhancedStatusCode: '5.0.0',
      },
      details: {
        'smtp-id': '<14c5d75ce93.dfd.64b469@ismtpd-555>',
        bounce_classification: 'Invalid Address',
        category: 'cat facts',
        sg_event_id: '6g4ZI7SA-xmRDv57GoPIPw==',
        status: '5.0.0',
      },
    });
  });

  test('bounce of type blocked: always soft', () => {
    expect(event('bounce', 'blocked')).toMatchObject({
      ...FAILURE,
      state: 'bounced',
      event: 'bounce',
      type: 'blocked',
      classification: { outcome: 'bounced', bounceClass: 'soft' },
    });
  });

  test('dropped', () => {
    expect(event('dropped')).toEqual({
      ...FAILURE,
      state: 'dropped',
      messageIds: [DOTTED],
      fullMessageId: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
      eventId: eventIdOf(
        1513299569,
        'dropped',
        '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
        'example@test.com',
        'Bounced Address',
      ),
      recipient: 'example@test.com',
      reason: 'Bounced Address',
      timestamp: 1513299569,
      event: 'dropped',
      type: '',
      classification: {
        outcome: 'dropped',
        bounceClass: 'hard',
        cause: 'suppressed',
        smtpCode: undefined,
        enhancedStatusCode: '5.0.0',
      },
      details: {
        'smtp-id': '<14c5d75ce93.dfd.64b469@ismtpd-555>',
        category: 'cat facts',
        sg_event_id: 'zmzJhfJgAfUSOW80yEbPyw==',
        status: '5.0.0',
      },
    });
  });

  test('spamreport', () => {
    expect(event('spamreport')).toMatchObject({
      ...FAILURE,
      state: 'complained',
      event: 'spamreport',
      type: '',
      reason: '',
      classification: { outcome: 'complained', bounceClass: 'undetermined' },
    });
  });

  test.each(['open', 'click', 'unsubscribe', 'group_unsubscribe', 'group_resubscribe'])('%s is ignored', (name) => {
    expect(event(name)).toEqual({ kind: 'ignored' });
  });

  test('account_status_change, which has neither recipient nor message, is stored as it came', () => {
    expect(event('account_status_change')).toEqual({
      kind: 'unrecognized',
      provider: 'sendgrid',
      fullMessageId: expect.stringMatching(/^sha256:[0-9a-f]{32}$/),
      eventId: keyOfContent({
        event: 'account_status_change',
        timestamp: 1709142428,
        type: 'compliance_suspend',
      }),
      rawEvent: JSON.stringify({
        event: 'account_status_change',
        sg_event_id: 'MjEzNTg5OTcyOC10ZXJtaW5hdGUtMTcwNzg1MTUzMQ',
        timestamp: 1709142428,
        type: 'compliance_suspend',
      }),
    });
  });

  test('of each type, with placeholders as ids', () => {
    expect(sendGridEvents('reference-all-events').map(normalizeSendGrid).map(kindAndState)).toEqual([
      'progress queued',
      'progress deferred',
      'progress delivered',
      'ignored',
      'ignored',
      'failure bounced',
      'failure dropped',
      'failure complained',
      'ignored',
      'ignored',
      'ignored',
      'unrecognized',
    ]);
  });
});

function kindAndState(event: MailEvent): string {
  return 'state' in event ? `${event.kind} ${event.state}` : event.kind;
}

/** The key of an unrecognized event. */
function withoutEventId({ sg_event_id, ...others }: { readonly sg_event_id?: unknown }): string {
  return keyOfContent(others);
}

/** The failure that an event is normalized to. */
function failureOf(received: unknown): FailureEvent {
  const event = normalizeSendGrid(received);
  return event.kind === 'failure' ? event : expect.fail(`${event.kind}, and no failure`);
}

test('the post of "Test your integration" is recognized', () => {
  const events = parseSendGrid(post(signatureVector('test-your-integration').body, JSON_TYPE)).map(normalizeSendGrid);
  expect(events.map(kindAndState)).toEqual([
    'progress queued',
    'progress deferred',
    'progress delivered',
    'ignored',
    'ignored',
    'failure bounced',
    'failure dropped',
    'failure complained',
    'ignored',
    'ignored',
    'ignored',
  ]);
  expect(events[0]).toMatchObject({ messageIds: ['14c5d75ce93.dfd.64b469'] });
});

describe('an event that was received from SendGrid', () => {
  const recorded = () => sendGridEvents('recorded-by-anymail').map(normalizeSendGrid);

  test('is normalized', () => {
    expect(recorded().map(kindAndState)).toEqual([
      'progress queued',
      'progress delivered',
      'failure dropped',
      'failure dropped',
      'failure bounced',
      'progress deferred',
      'ignored',
      'ignored',
    ]);
  });

  test('joins by the id before .filter', () => {
    expect(recorded()[0]).toMatchObject({ messageIds: ['wrfRRvF7Q0GgwUo2CvDmEA'] });
    expect(recorded()[4]).toMatchObject({ messageIds: ['Lli-03HcQ5-JLybO9fXsJg'] });
  });

  test('joins by the local part of smtp-id, if sg_message_id has no id', () => {
    expect(recorded()[2]).toMatchObject({
      messageIds: ['wrfRRvF7Q0GgwUo2CvDmEA'],
      fullMessageId: 'filter0093p1las1.9128.5717FB8127.0',
    });
  });

  test('keeps custom arguments among its details', () => {
    expect(recorded()[4]).toMatchObject({
      classification: { outcome: 'bounced', bounceClass: 'hard', smtpCode: '550', enhancedStatusCode: '5.1.1' },
      details: {
        ip: '167.89.17.173',
        status: '5.1.1',
        'smtp-id': '<wrfRRvF7Q0GgwUo2CvDmEA@ismtpd0006p1sjc2.sendgrid.net>',
        tls: 1,
        anymail_id: 'de212213-bb66-4302-8f3f-20acdb7a104e',
        sg_event_id: 'lC0Rc-FuQmKbnxCWxX1jRQ',
      },
    });
  });

  test('of a drop is classified by its reason', () => {
    expect(recorded()[2]).toMatchObject({ recipient: 'invalid@invalid', classification: { bounceClass: 'hard' } });
    expect(recorded()[3]).toMatchObject({ classification: { outcome: 'dropped', bounceClass: 'undetermined' } });
  });
});

describe('an asynchronous bounce, which has no message id', () => {
  test.each(sendGridEvents('asynchronous-bounces').map((event) => [event['sg_message_id'], event] as const))(
    'is recorded under a derived key: sg_message_id is %j',
    (_, received) => {
      expect(normalizeSendGrid(received)).toMatchObject({
        ...FAILURE,
        state: 'bounced',
        messageIds: [],
        fullMessageId: eventIdOf(received['timestamp'], 'bounce', '', 'nobody@example.com', String(received['reason'])),
        eventId: eventIdOf(received['timestamp'], 'bounce', '', 'nobody@example.com', String(received['reason'])),
        recipient: 'nobody@example.com',
        classification: { outcome: 'bounced', bounceClass: 'hard', smtpCode: '550', enhancedStatusCode: '5.1.10' },
      });
    },
  );

  test('has the same key each time it comes, and a different key from any other event', () => {
    const keys = sendGridEvents('asynchronous-bounces').map((event) => failureOf(event).fullMessageId);
    expect(sendGridEvents('asynchronous-bounces').map((event) => failureOf(event).fullMessageId)).toEqual(keys);
    expect(new Set(keys).size).toBe(3);
  });
});

describe('other shapes of events', () => {
  const shapes = () => sendGridEvents('real-world-shapes').map(normalizeSendGrid);

  test('a blocked bounce is soft, and its recipient is looked up in lower case', () => {
    const [blocked] = shapes();
    expect(blocked).toMatchObject({
      state: 'bounced',
      messageIds: ['grsqQC4hRxKgKG-76PtYZw'],
      recipient: 'robinson@example.com',
      type: 'blocked',
      classification: { outcome: 'bounced', bounceClass: 'soft', smtpCode: '554', enhancedStatusCode: '5.7.1' },
      details: { EmailID: '1', category: ['RecordingConfirmed'], tls: 1 },
    });
  });

  test('a message id with .recvd, a pool whose id is a string, no category', () => {
    const [, pool] = shapes();
    expect(pool).toMatchObject({ ...PROGRESS, state: 'queued', messageIds: ['56WoYBdESN6RyEn_7bJRKA'] });
  });

  test('a bounce without a type or a status', () => {
    const [, , untyped] = shapes();
    expect(untyped).toMatchObject({
      state: 'bounced',
      type: '',
      messageIds: ['message-2'],
      classification: { outcome: 'bounced', bounceClass: 'soft', smtpCode: undefined, enhancedStatusCode: undefined },
    });
  });

  test('a marketing campaign', () => {
    const [, , , campaign] = shapes();
    expect(campaign).toMatchObject({ ...PROGRESS, state: 'queued', messageIds: ['5lFl7Fr1Rjme_EyzNNB_5A'] });
  });

  const bounce = {
    event: 'bounce',
    email: 'ann@example.com',
    timestamp: 1513299569,
    sg_event_id: 'event',
    sg_message_id: 'LRzXl_NHStOGhQ4kofSm_A.filter0001.0',
    reason: '550 5.1.1 User unknown',
    status: '5.1.1',
    type: 'bounce',
  };

  test.each<[string, unknown, number | undefined]>([
    ['seconds', 1513299569, 1513299569],
    ['milliseconds', 1513299569123, 1513299569],
    ['a fraction', 1513299569.5, 1513299569],
    ['text', '1513299569', 1513299569],
    ['missing', undefined, undefined],
    ['null', null, undefined],
    ['words', 'now', undefined],
    ['negative', -1, undefined],
    ['out of all bounds', 1e300, undefined],
    ['an object', {}, undefined],
  ])('a timestamp that is %s', (_, timestamp, expected) => {
    expect(failureOf({ ...bounce, timestamp }).timestamp).toBe(expected);
  });

  test.each([-1, 0, 1e300, 'now', '1513299569', { at: 1513299569 }, null])(
    'the unusable timestamp %j is stored in the details',
    (timestamp) => {
      expect(failureOf({ ...bounce, timestamp }).details).toHaveProperty('timestamp', timestamp);
    },
  );

  test.each([undefined, null, '', 7, {}, ['ann@example.com']])('an email that is %j counts as missing', (email) => {
    const { recipient, fullMessageId } = failureOf({ ...bounce, email });
    expect(recipient).toBeUndefined();
    expect(fullMessageId).toBe(bounce.sg_message_id);
  });

  test.each(['reason', 'status', 'type', 'bounce_classification'])('a %s of another type than documented', (name) => {
    for (const value of [null, 7, {}, [], true]) {
      const failure = failureOf({ ...bounce, [name]: value });
      expect(failure).toMatchObject({ state: 'bounced', messageIds: ['LRzXl_NHStOGhQ4kofSm_A'] });
      expect(failure.details[name]).toEqual(value);
    }
  });

  describe('a copy of an event', () => {
    const copies = [undefined, null, '', 7, {}, 'another'].map((sg_event_id) => ({ ...bounce, sg_event_id }));

    test.each(copies)('has the same keys with another sg_event_id: $sg_event_id', (copy) => {
      const { fullMessageId, eventId } = failureOf(bounce);
      expect(failureOf(copy)).toMatchObject({ fullMessageId, eventId });
      expect(failureOf(copy).details['sg_event_id']).toEqual(copy.sg_event_id);
    });

    test.each(['processed', 'deferred', 'delivered', 'new'])('%s has the same keys, too', (event) => {
      const [first, second] = [bounce, { ...bounce, sg_event_id: 'another' }].map((received) =>
        normalizeSendGrid({ ...received, event }),
      );
      if (first?.kind === 'ignored' || second?.kind === 'ignored') return expect.fail('is ignored');
      expect([second?.fullMessageId, second?.eventId]).toEqual([first?.fullMessageId, first?.eventId]);
    });

    test('without a message id has the same keys, too', () => {
      const { fullMessageId, eventId } = failureOf({ ...bounce, sg_message_id: '' });
      expect(failureOf({ ...bounce, sg_message_id: '', sg_event_id: 'another' })).toMatchObject({
        fullMessageId,
        eventId,
      });
    });
  });

  test('events of one second with different content have different keys', () => {
    const events = [
      bounce,
      { ...bounce, event: 'dropped' },
      { ...bounce, event: 'spamreport' },
      { ...bounce, email: 'bob@example.com' },
      { ...bounce, reason: '550 5.1.1 User unknown.' },
      { ...bounce, sg_message_id: 'LRzXl_NHStOGhQ4kofSm_A.filter0001.1' },
      { ...bounce, timestamp: 1513299569123 },
      { ...bounce, timestamp: 1513299569124 },
    ];
    expect(new Set(events.map((event) => failureOf(event).eventId)).size).toBe(events.length);
  });

  test.each([undefined, null, '', 7, {}])('a message id that is %j: the smtp-id identifies the mail', (id) => {
    const received = { ...bounce, sg_message_id: id };
    const smtpId = '<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>';
    expect(failureOf({ ...received, 'smtp-id': smtpId })).toMatchObject({
      fullMessageId: smtpId,
      messageIds: ['LRzXl_NHStOGhQ4kofSm_A'],
    });
    const { fullMessageId, eventId, messageIds } = failureOf(received);
    expect({ fullMessageId, messageIds }).toEqual({ fullMessageId: eventId, messageIds: [] });
  });

  test.each(['.filter0001.16648', '.recvd-5b6594c664', '.', '..', '.a'])(
    'the message id %j, which has no usable part, joins nothing, and no key is empty',
    (sg_message_id) => {
      expect(failureOf({ ...bounce, sg_message_id }).messageIds).toEqual([]);
    },
  );

  test('the id of the Mail item, or undefined if it is not a text', () => {
    expect(failureOf({ ...bounce, todoke_mail_id: 'welcome-1' }).mailId).toBe('welcome-1');
    for (const value of [undefined, '', null, 7, ['welcome-1']]) {
      expect(failureOf({ ...bounce, todoke_mail_id: value }).mailId).toBeUndefined();
    }
  });

  test('progress has the reply, whichever of its two names it has', () => {
    const deferred = { ...bounce, event: 'deferred' };
    expect(normalizeSendGrid(deferred)).toMatchObject({ reason: bounce.reason });
    expect(normalizeSendGrid({ ...deferred, response: '450 busy' })).toMatchObject({ reason: '450 busy' });
  });

  test("custom arguments with the names of Todoke's fields are details", () => {
    const args = {
      outcome: 'delivered',
      matched: true,
      provider: 'x',
      toEmail: 'x',
      kind: 'x',
      messageId: 'x',
      details: 1,
    };
    const failure = failureOf({ ...bounce, ...args });
    expect(failure).toMatchObject({ ...FAILURE, recipient: 'ann@example.com', messageIds: ['LRzXl_NHStOGhQ4kofSm_A'] });
    expect(failure.details).toMatchObject(args);
  });

  test('custom arguments with names that have a meaning in JavaScript are details', () => {
    const received = JSON.parse(
      `{"__proto__":{"event":"open"},"constructor":{"name":"Set"},"toString":1,${JSON.stringify(bounce).slice(1)}`,
    );
    const failure = failureOf(received);
    expect(Object.keys(failure.details)).toEqual(expect.arrayContaining(['__proto__', 'constructor', 'toString']));
    expectStorable(bounceRow(failure, undefined, { receivedAtMs: 0, retentionDays: 0 }));
  });

  test('if a name appears twice, the last value counts', () => {
    expect(failureOf(JSON.parse('{"event":"open","email":"a@example.com","event":"bounce"}')).state).toBe('bounced');
  });

  test.each(['processed', 'delivered', 'deferred'])(
    '%s without a message id is stored as it came: it has no story',
    (event) => {
      const received = { ...bounce, event, sg_message_id: '' };
      expect(normalizeSendGrid(received)).toEqual({
        kind: 'unrecognized',
        provider: 'sendgrid',
        fullMessageId: withoutEventId(received),
        eventId: withoutEventId(received),
        rawEvent: JSON.stringify(received),
      });
    },
  );

  test.each(['', 'Bounce', 'bounced', 'constructor', '__proto__', 'newly_invented'])(
    'the unknown event %j is stored as it came',
    (event) => {
      const received = { ...bounce, event };
      expect(normalizeSendGrid(received)).toEqual({
        kind: 'unrecognized',
        provider: 'sendgrid',
        fullMessageId: bounce.sg_message_id,
        eventId: withoutEventId(received),
        rawEvent: JSON.stringify(received),
      });
    },
  );

  test.each([
    null,
    7,
    'bounce',
    true,
    [],
    [bounce],
    {},
    { event: null },
    { event: ['bounce'] },
    { event: 7, sg_event_id: 'a', sg_message_id: 'b' },
  ])('a value that is not an event is stored as it came: %j', (received) => {
    const key = keyOfContent(received);
    expect(normalizeSendGrid(received)).toEqual({
      kind: 'unrecognized',
      provider: 'sendgrid',
      fullMessageId: key,
      eventId: key,
      rawEvent: JSON.stringify(received),
    });
  });

  test('events that are nested 10,000 deep are stored as they came, each under its own key', () => {
    const deep = (value: string) =>
      JSON.parse(`{"event":"new","a":${'['.repeat(10_000)}"${value}"${']'.repeat(10_000)}}`);
    const [one, two] = [deep('one'), deep('two')].map(normalizeSendGrid);
    if (one?.kind !== 'unrecognized' || two?.kind !== 'unrecognized') return expect.fail('is recognized');
    expect(one.fullMessageId).not.toBe(two.fullMessageId);
    expect(one.rawEvent.includes('one')).toBe(true);
  });
});

describe('for any post of SendGrid', () => {
  const field = (arbitrary: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 3, arbitrary }, { weight: 1, arbitrary: anyJson });
  const event = fc
    .tuple(
      fc.record(
        {
          event: field(fc.constantFrom('processed', 'delivered', 'deferred', 'bounce', 'dropped', 'spamreport', 'new')),
          email: field(anyText),
          timestamp: field(fc.double()),
          sg_event_id: field(anyText),
          sg_message_id: field(
            fc.oneof(
              anyText,
              anyText.map((id) => `${id}.filter0001`),
              anyText.map((id) => id.repeat(2_000)),
            ),
          ),
          reason: field(anyText),
          status: field(anyText),
          type: field(fc.constantFrom('bounce', 'blocked')),
          todoke_mail_id: field(anyText),
        },
        { requiredKeys: [] },
      ),
      fc.dictionary(anyText, anyJson, { maxKeys: 3 }),
    )
    .map(([known, others]): unknown => ({ ...others, ...known }));
  const time = { receivedAtMs: 1_674_623_115_000, retentionDays: 180 };

  test('each event is normalized, and every key is within the limits of DynamoDB', () => {
    holdsForAll(
      fc.oneof(event, anyJson),
      (received) => {
        const normalized = withStorableKeys(normalizeSendGrid(received));
        if (normalized.kind === 'ignored') return;
        expect(normalized.fullMessageId).not.toBe('');
        expect(normalized.eventId).not.toBe('');
        expect(Buffer.byteLength(normalized.fullMessageId)).toBeLessThanOrEqual(2048);
        expect(Buffer.byteLength(normalized.eventId)).toBeLessThanOrEqual(1024);
        if (normalized.kind === 'unrecognized' || normalized.kind === 'blocklisted') return;
        for (const key of [
          ...normalized.messageIds,
          ...(normalized.recipient === undefined ? [] : [normalized.recipient]),
        ]) {
          expect(key).not.toBe('');
          expect(key.isWellFormed()).toBe(true);
          expect(Buffer.byteLength(key)).toBeLessThanOrEqual(2048);
        }
      },
      1_000,
    );
  });

  test('the result is the same each time', () => {
    holdsForAll(fc.oneof(event, anyJson), (received) => {
      expect(normalizeSendGrid(JSON.parse(JSON.stringify(received)))).toEqual(
        normalizeSendGrid(JSON.parse(JSON.stringify(received))),
      );
    });
  });

  test('DynamoDB accepts the rows', () => {
    holdsForAll(
      fc.oneof(event, anyJson),
      (received) => {
        const normalized = withStorableKeys(normalizeSendGrid(received));
        if (normalized.kind === 'ignored') return;
        if (normalized.kind === 'unrecognized') return expectStorable(unrecognizedRow(normalized, time));
        if (normalized.kind === 'blocklisted') return expect.fail('SendGrid has no block list');
        if (normalized.kind === 'failure') expectStorable(bounceRow(normalized, undefined, time));
        expectStorable(storyRow(normalized, 'id', time));
      },
      1_000,
    );
  });
});
