import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FailureEvent, MailEvent } from '../../../lambda/mail/event.ts';
import { keyOfContent } from '../../../lambda/mail/keys.ts';
import { bounceRow, storyRow, unrecognizedRow } from '../../../lambda/mail/rows.ts';
import { normalizeSendGrid, parseSendGrid, verifySendGrid } from '../../../lambda/providers/sendgrid.ts';
import { anyJson, anyText, holdsForAll } from '../mail/property.ts';
import { expectStorable } from '../mail/stored-row.ts';
import { type SignatureVector, sendGridEvents, signatureVector } from './fixtures.ts';
import { post, refusalOf } from './requests.ts';

const JSON_TYPE = { 'content-type': 'application/json;charset=utf-8' };

describe('the signature', () => {
  const vectors = ['dropped', 'object', 'processed-and-blocked', 'test-your-integration'];
  const requestOf = ({ body, signature, timestamp }: Omit<SignatureVector, 'publicKey'>) =>
    post(body, {
      'x-twilio-email-event-webhook-signature': signature,
      'x-twilio-email-event-webhook-timestamp': timestamp,
    });

  const otherKey =
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA==';
  const spki = (key: KeyObject) => key.export({ format: 'der', type: 'spki' }).toString('base64');
  const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signed = (body: string, timestamp: string, key: KeyObject) =>
    requestOf({ body, timestamp, signature: sign('sha256', Buffer.from(timestamp + body), key).toString('base64') });

  test.each(vectors)('that was published is accepted: %s', (name) => {
    const vector = signatureVector(name);
    expect(() => verifySendGrid(requestOf(vector), [vector.publicKey])).not.toThrow();
  });

  test('is accepted over any body, at any time', () => {
    const { publicKey, privateKey } = keyPair();
    for (const body of ['[]', '', '[\r\n]\r\n', '\ufeff[]', '[{"subject":"メール"}]', '\0']) {
      for (const timestamp of ['1600112502', '0', '99999999999']) {
        expect(() => verifySendGrid(signed(body, timestamp, privateKey), [spki(publicKey)])).not.toThrow();
      }
    }
  });

  test('is over the bytes, also where they are no text', () => {
    const { publicKey, privateKey } = keyPair();
    const body = Buffer.from([0x5b, 0xff, 0xfe, 0x00, 0x5d]);
    const signature = sign('sha256', Buffer.concat([Buffer.from('1600112502'), body]), privateKey).toString('base64');
    const headers = requestOf({ body: '', timestamp: '1600112502', signature }).headers;
    expect(() => verifySendGrid(post(body, headers), [spki(publicKey)])).not.toThrow();
    refusalOf(() => verifySendGrid(post(body.toString(), headers), [spki(publicKey)]), 401);
  });

  test('may be of any of several keys', () => {
    const vector = signatureVector('dropped');
    const keys = [otherKey, vector.publicKey, spki(keyPair().publicKey)];
    for (const order of [keys, keys.toReversed()]) expect(() => verifySendGrid(requestOf(vector), order)).not.toThrow();
  });

  test('of another key is refused', () => {
    for (const name of vectors) refusalOf(() => verifySendGrid(requestOf(signatureVector(name)), [otherKey]), 401);
  });

  test.each(vectors)('is refused with any one byte of the body changed, or one more or less: %s', (name) => {
    const vector = signatureVector(name);
    const { headers, body } = requestOf(vector);
    const refused = (changed: Buffer) =>
      refusalOf(() => verifySendGrid(post(changed, headers), [vector.publicKey]), 401);
    // Every byte of a short body, every 13th of a long one.
    for (let at = 0; at < body.length; at += body.length > 400 ? 13 : 1) {
      const changed = Buffer.from(body);
      changed.writeUInt8(body.readUInt8(at) ^ 1, at);
      refused(changed);
    }
    refused(body.subarray(0, -1));
    refused(body.subarray(1));
    refused(Buffer.concat([body, Buffer.from(' ')]));
    refused(Buffer.alloc(0));
  });

  test.each(vectors.slice(0, 1).concat(vectors.slice(2)))(
    'is refused over the same events written anew: %s',
    (name) => {
      const vector = signatureVector(name);
      const rewritten = JSON.stringify(JSON.parse(vector.body));
      refusalOf(() => verifySendGrid(requestOf({ ...vector, body: rewritten }), [vector.publicKey]), 401);
    },
  );

  test.each(vectors)('is refused with any one character of the timestamp changed: %s', (name) => {
    const vector = signatureVector(name);
    const { timestamp } = vector;
    const changes = [...timestamp].map(
      (digit, at) => timestamp.slice(0, at) + ((Number(digit) + 1) % 10) + timestamp.slice(at + 1),
    );
    for (const changed of [
      ...changes,
      '',
      `0${timestamp}`,
      `${timestamp} `,
      timestamp.slice(1),
      timestamp.slice(0, -1),
    ]) {
      refusalOf(() => verifySendGrid(requestOf({ ...vector, timestamp: changed }), [vector.publicKey]), 401);
    }
  });

  test.each(['', 'x1600112502', '1600112502[', '1600112502 ', '-1'])(
    'is refused over a timestamp that is no number, also where it fits: %j',
    (timestamp) => {
      const { privateKey, publicKey } = keyPair();
      refusalOf(() => verifySendGrid(signed('[]', timestamp, privateKey), [spki(publicKey)]), 401);
    },
  );

  test('over the same bytes, divided otherwise into timestamp and body, leaves no JSON', () => {
    const { privateKey, publicKey } = keyPair();
    const { headers } = signed('[]', '1600112502', privateKey);
    const moved = { ...headers, 'x-twilio-email-event-webhook-timestamp': '160011250' };
    expect(() => verifySendGrid(post('2[]', moved), [spki(publicKey)])).not.toThrow();
    refusalOf(() => parseSendGrid(post('2[]', JSON_TYPE)), 400);
  });

  test.each(vectors)('is refused with any one bit changed: %s', (name) => {
    const vector = signatureVector(name);
    const bytes = Buffer.from(vector.signature, 'base64');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      refusalOf(
        () => verifySendGrid(requestOf({ ...vector, signature: changed.toString('base64') }), [vector.publicKey]),
        401,
      );
    }
  });

  test.each(vectors)('is refused with any one character of it changed: %s', (name) => {
    const vector = signatureVector(name);
    const accepted: string[] = [];
    [...vector.signature].forEach((original, at) => {
      for (const character of 'AMNOPQRSTUVWXYZaz09+/=-_ !') {
        if (character === original) continue;
        const signature = vector.signature.slice(0, at) + character + vector.signature.slice(at + 1);
        try {
          verifySendGrid(requestOf({ ...vector, signature }), [vector.publicKey]);
          accepted.push(`${original} at ${at} as ${character}`);
        } catch {}
      }
    });
    expect(accepted).toEqual([]);
  });

  test.each([
    '',
    ' ',
    'no base64 at all!',
    'MEUCIQ',
    '====',
    '\u0000',
    'A'.repeat(100_000),
    Buffer.from('30060201010201', 'hex').toString('base64'),
    Buffer.from('3006020100020100', 'hex').toString('base64'),
    Buffer.from('308201000201', 'hex').toString('base64'),
    Buffer.alloc(64).toString('base64'),
  ])('that is none is refused, and nothing breaks: %j', (signature) => {
    const vector = signatureVector('dropped');
    refusalOf(() => verifySendGrid(requestOf({ ...vector, signature }), [vector.publicKey]), 401);
  });

  test('that is none is refused, whatever it is', () => {
    const vector = signatureVector('dropped');
    const bytes = fc.uint8Array().map((array) => Buffer.from(array).toString('base64'));
    holdsForAll(fc.tuple(fc.oneof(anyText, bytes), fc.oneof(anyText, bytes)), ([signature, timestamp]) => {
      refusalOf(() => verifySendGrid(requestOf({ ...vector, signature, timestamp }), [vector.publicKey]), 401);
    });
  });

  test.each(['x-twilio-email-event-webhook-signature', 'x-twilio-email-event-webhook-timestamp'])(
    'is missing without the header %s',
    (name) => {
      const vector = signatureVector('dropped');
      const { [name]: _, ...headers } = requestOf(vector).headers;
      expect(refusalOf(() => verifySendGrid(post(vector.body, headers), [vector.publicKey]), 401)).toMatch(
        /is not signed; switch on the Signed Event Webhook/,
      );
    },
  );
});

describe('the public keys', () => {
  const vector = signatureVector('dropped');
  const request = post(vector.body, {
    'x-twilio-email-event-webhook-signature': vector.signature,
    'x-twilio-email-event-webhook-timestamp': vector.timestamp,
  });
  const { publicKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { publicKey: otherCurve } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { publicKey: edwards } = generateKeyPairSync('ed25519');
  const der = (key: KeyObject) => key.export({ format: 'der', type: 'spki' }).toString('base64');
  const unusable = [
    '',
    ' ',
    'no key',
    vector.publicKey.slice(0, -8),
    vector.publicKey.slice(8),
    `-----BEGIN PUBLIC KEY-----\n${vector.publicKey}\n-----END PUBLIC KEY-----`,
    der(rsa),
    der(otherCurve),
    der(edwards),
    'A'.repeat(100_000),
  ];

  test('that are not configured refuse everything, and say what to set', () => {
    expect(refusalOf(() => verifySendGrid(request, []), 503)).toMatch(/put the public key .* into sendgridPublicKeys/);
    expect(refusalOf(() => verifySendGrid(post('[]'), []), 503)).toMatch(/put the public key/);
  });

  test.each(unusable)('that are none refuse everything, and say so: %j', (key) => {
    expect(refusalOf(() => verifySendGrid(request, [key]), 503)).toMatch(/holds no P-256 key/);
  });

  test('that are none harm no good one beside them', () => {
    expect(() => verifySendGrid(request, [...unusable, vector.publicKey])).not.toThrow();
  });

  test('may have been copied with white space', () => {
    expect(() => verifySendGrid(request, [` ${vector.publicKey}\n`])).not.toThrow();
  });

  test('are never repeated in a refusal, nor is the signature', () => {
    for (const key of [...unusable.slice(2), 'MFkwEwYHKoZIzj0CAQYI']) {
      const status = 503;
      expect(refusalOf(() => verifySendGrid(request, [key]), status)).not.toContain(key);
    }
  });
});

describe('the body', () => {
  test.each(['application/json', 'application/json;charset=utf-8', 'Application/JSON ; charset=UTF-8'])(
    'may be %s',
    (type) => {
      expect(parseSendGrid(post('[{"event":"open"}]', { 'content-type': type }))).toEqual([{ event: 'open' }]);
    },
  );

  test.each(['dropped', 'processed-and-blocked', 'test-your-integration'])('is read as it was signed: %s', (name) => {
    const { body } = signatureVector(name);
    expect(parseSendGrid(post(body, JSON_TYPE))).toEqual(JSON.parse(body));
  });

  test.each([undefined, '', 'text/plain', 'application/x-www-form-urlencoded', 'text/json', 'application/jsonp'])(
    'of content type %j is refused',
    (type) => {
      refusalOf(() => parseSendGrid(post('[]', type === undefined ? {} : { 'content-type': type })), 415);
    },
  );

  test.each(['', ' ', 'null', '{}', '{"event":"bounce"}', '"[]"', '1', 'true', '[', '[{]', 'event=bounce', '\0'])(
    'that is no JSON array is refused: %j',
    (body) => {
      refusalOf(() => parseSendGrid(post(body, JSON_TYPE)), 400);
    },
  );

  test('is not repeated in the refusal', () => {
    const message = refusalOf(() => parseSendGrid(post('secret@example.com', JSON_TYPE)), 400);
    expect(message).not.toContain('secret');
    expect(message).toMatch(/^Error: Cannot read the post: it is not JSON$/);
  });

  test('may hold nothing, and 10,000 events, but not 10,001', () => {
    expect(parseSendGrid(post('[]', JSON_TYPE))).toEqual([]);
    const events = (count: number) => post(JSON.stringify(Array(count).fill({})), JSON_TYPE);
    expect(parseSendGrid(events(10_000))).toHaveLength(10_000);
    expect(refusalOf(() => parseSendGrid(events(10_001)), 413)).toMatch(/10001 events.* at most 10000/);
  });
});

const FAILURE = { kind: 'failure', provider: 'sendgrid' } as const;
const PROGRESS = { kind: 'progress', provider: 'sendgrid' } as const;

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
      eventId: 'rbtnWrG1DVDGGGFHFyun0A==',
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
      eventId: 't7LEShmowp86DTdUW8M-GQ==',
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
      eventId: 'rWVYmVk90MjZJ9iohOBa3w==',
      reason: '250 OK',
    });
  });

  test('bounce', () => {
    expect(event('bounce', 'bounce')).toEqual({
      ...FAILURE,
      state: 'bounced',
      messageIds: [DOTTED],
      fullMessageId: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
      eventId: '6g4ZI7SA-xmRDv57GoPIPw==',
      recipient: 'example@test.com',
      reason: '500 unknown recipient',
      timestamp: 1513299569,
      event: 'bounce',
      type: 'bounce',
      classification: { outcome: 'bounced', bounceClass: 'hard', smtpCode: '500', enhancedStatusCode: '5.0.0' },
      details: {
        'smtp-id': '<14c5d75ce93.dfd.64b469@ismtpd-555>',
        bounce_classification: 'Invalid Address',
        category: 'cat facts',
        status: '5.0.0',
      },
    });
  });

  test('bounce of type blocked: soft, whatever the rest says', () => {
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
      eventId: 'zmzJhfJgAfUSOW80yEbPyw==',
      recipient: 'example@test.com',
      reason: 'Bounced Address',
      timestamp: 1513299569,
      event: 'dropped',
      type: '',
      classification: { outcome: 'dropped', bounceClass: 'hard', smtpCode: undefined, enhancedStatusCode: '5.0.0' },
      details: { 'smtp-id': '<14c5d75ce93.dfd.64b469@ismtpd-555>', category: 'cat facts', status: '5.0.0' },
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

  test('account_status_change, which has neither recipient nor message, is kept as it came', () => {
    expect(event('account_status_change')).toEqual({
      kind: 'unrecognized',
      provider: 'sendgrid',
      fullMessageId: expect.stringMatching(/^sha256:[0-9a-f]{32}$/),
      eventId: 'MjEzNTg5OTcyOC10ZXJtaW5hdGUtMTcwNzg1MTUzMQ',
      rawEvent: JSON.stringify({
        event: 'account_status_change',
        sg_event_id: 'MjEzNTg5OTcyOC10ZXJtaW5hdGUtMTcwNzg1MTUzMQ',
        timestamp: 1709142428,
        type: 'compliance_suspend',
      }),
    });
  });

  test('of each type, with the ids that stand for ids', () => {
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

/** The failure that this becomes. */
function failureOf(received: unknown): FailureEvent {
  const event = normalizeSendGrid(received);
  return event.kind === 'failure' ? event : expect.fail(`${event.kind}, and no failure`);
}

test('"Test your integration" is understood', () => {
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

describe('an event as it was recorded', () => {
  const recorded = () => sendGridEvents('recorded-by-anymail').map(normalizeSendGrid);

  test('is what it says', () => {
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

  test('keeps custom arguments among its details', () => {
    expect(recorded()[4]).toMatchObject({
      classification: { outcome: 'bounced', bounceClass: 'hard', smtpCode: '550', enhancedStatusCode: '5.1.1' },
      details: {
        ip: '167.89.17.173',
        status: '5.1.1',
        'smtp-id': '<wrfRRvF7Q0GgwUo2CvDmEA@ismtpd0006p1sjc2.sendgrid.net>',
        tls: 1,
        anymail_id: 'de212213-bb66-4302-8f3f-20acdb7a104e',
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
        fullMessageId: keyOfContent(received),
        eventId: received['sg_event_id'],
        recipient: 'nobody@example.com',
        classification: { outcome: 'bounced', bounceClass: 'hard', smtpCode: '550', enhancedStatusCode: '5.1.10' },
      });
    },
  );

  test('has the same key whenever it comes, and another than any other', () => {
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
    'a timestamp that came as %j is kept among the details',
    (timestamp) => {
      expect(failureOf({ ...bounce, timestamp }).details).toHaveProperty('timestamp', timestamp);
    },
  );

  test.each([undefined, null, '', 7, {}, ['ann@example.com']])('an email that is %j is none', (email) => {
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

  test.each([undefined, null, '', 7, {}])('an event id that is %j is derived from the whole event', (sg_event_id) => {
    const received = { ...bounce, sg_event_id };
    expect(failureOf(received)).toMatchObject({ fullMessageId: bounce.sg_message_id, eventId: keyOfContent(received) });
  });

  test.each([undefined, null, '', 7, {}])('two ids that are %j are derived from the whole event', (id) => {
    const received = { ...bounce, sg_event_id: id, sg_message_id: id };
    const key = keyOfContent(received);
    expect(failureOf(received)).toMatchObject({ fullMessageId: key, eventId: key, messageIds: [] });
  });

  test.each(['.filter0001.16648', '.recvd-5b6594c664', '.', '..', '.a'])(
    'a message id %j that nothing joins by joins nothing: no key is empty',
    (sg_message_id) => {
      expect(failureOf({ ...bounce, sg_message_id }).messageIds).toEqual([]);
    },
  );

  test('the Mail item that sent it, and none where that is no text', () => {
    expect(failureOf({ ...bounce, todoke_mail_id: 'welcome-1' }).mailId).toBe('welcome-1');
    for (const value of [undefined, '', null, 7, ['welcome-1']]) {
      expect(failureOf({ ...bounce, todoke_mail_id: value }).mailId).toBeUndefined();
    }
  });

  test('progress has the reply, under either of its names', () => {
    const deferred = { ...bounce, event: 'deferred' };
    expect(normalizeSendGrid(deferred)).toMatchObject({ reason: bounce.reason });
    expect(normalizeSendGrid({ ...deferred, response: '450 busy' })).toMatchObject({ reason: '450 busy' });
  });

  test('custom arguments that collide with names of ours are details', () => {
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

  test('custom arguments that mean something to JavaScript are details', () => {
    const received = JSON.parse(
      `{"__proto__":{"event":"open"},"constructor":{"name":"Set"},"toString":1,${JSON.stringify(bounce).slice(1)}`,
    );
    const failure = failureOf(received);
    expect(Object.keys(failure.details)).toEqual(expect.arrayContaining(['__proto__', 'constructor', 'toString']));
    expectStorable(bounceRow(failure, undefined, { receivedAtMs: 0, retentionDays: 0 }));
  });

  test('of a name twice, the last counts', () => {
    expect(failureOf(JSON.parse('{"event":"open","email":"a@example.com","event":"bounce"}')).state).toBe('bounced');
  });

  test.each(['processed', 'delivered', 'deferred'])(
    '%s without a message id is kept as it came: it has no story',
    (event) => {
      const received = { ...bounce, event, sg_message_id: '' };
      expect(normalizeSendGrid(received)).toEqual({
        kind: 'unrecognized',
        provider: 'sendgrid',
        fullMessageId: keyOfContent(received),
        eventId: 'event',
        rawEvent: JSON.stringify(received),
      });
    },
  );

  test.each(['', 'Bounce', 'bounced', 'constructor', '__proto__', 'newly_invented'])(
    'the unknown event %j is kept as it came',
    (event) => {
      const received = { ...bounce, event };
      expect(normalizeSendGrid(received)).toEqual({
        kind: 'unrecognized',
        provider: 'sendgrid',
        fullMessageId: bounce.sg_message_id,
        eventId: bounce.sg_event_id,
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
  ])('what is no event is kept as it came: %j', (received) => {
    const key = keyOfContent(received);
    expect(normalizeSendGrid(received)).toEqual({
      kind: 'unrecognized',
      provider: 'sendgrid',
      fullMessageId: key,
      eventId: key,
      rawEvent: JSON.stringify(received),
    });
  });

  test('events that are nested 10,000 deep are kept as they came, each under a key of its own', () => {
    const deep = (value: string) =>
      JSON.parse(`{"event":"new","a":${'['.repeat(10_000)}"${value}"${']'.repeat(10_000)}}`);
    const [one, two] = [deep('one'), deep('two')].map(normalizeSendGrid);
    if (one?.kind !== 'unrecognized' || two?.kind !== 'unrecognized') return expect.fail('is recognized');
    expect(one.fullMessageId).not.toBe(two.fullMessageId);
    expect(one.rawEvent.includes('one')).toBe(true);
  });
});

describe('whatever SendGrid sends', () => {
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

  test('it is normalized, and every key is within the limits of DynamoDB', () => {
    holdsForAll(
      fc.oneof(event, anyJson),
      (received) => {
        const normalized = normalizeSendGrid(received);
        if (normalized.kind === 'ignored') return;
        expect(normalized.fullMessageId).not.toBe('');
        expect(normalized.eventId).not.toBe('');
        expect(Buffer.byteLength(normalized.fullMessageId)).toBeLessThanOrEqual(2048);
        expect(Buffer.byteLength(normalized.eventId)).toBeLessThanOrEqual(1024);
        if (normalized.kind === 'unrecognized') return;
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

  test('it is the same each time', () => {
    holdsForAll(fc.oneof(event, anyJson), (received) => {
      expect(normalizeSendGrid(JSON.parse(JSON.stringify(received)))).toEqual(
        normalizeSendGrid(JSON.parse(JSON.stringify(received))),
      );
    });
  });

  test('DynamoDB takes its rows', () => {
    holdsForAll(
      fc.oneof(event, anyJson),
      (received) => {
        const normalized = normalizeSendGrid(received);
        if (normalized.kind === 'ignored') return;
        if (normalized.kind === 'unrecognized') return expectStorable(unrecognizedRow(normalized, time));
        if (normalized.kind === 'failure') expectStorable(bounceRow(normalized, undefined, time));
        expectStorable(storyRow(normalized, 'id', time));
      },
      1_000,
    );
  });
});
