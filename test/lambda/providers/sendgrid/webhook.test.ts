import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptSendGrid, parseSendGrid, verifySendGrid } from '../../../../lambda/providers/sendgrid/webhook.ts';
import { WebhookRefusal } from '../../../../lambda/webhooks/request.ts';
import { anyText, holdsForAll } from '../../mail/property.ts';
import { type SignatureVector, signatureVector } from '../fixtures.ts';
import { JSON_TYPE, post, refusalOf } from '../requests.ts';

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

  test.each(vectors)('is accepted if it was published as an example: %s', (name) => {
    const vector = signatureVector(name);
    expect(() => verifySendGrid(requestOf(vector), [vector.publicKey])).not.toThrow();
  });

  test('is accepted for any body, with any timestamp', () => {
    const { publicKey, privateKey } = keyPair();
    for (const body of ['[]', '', '[\r\n]\r\n', '\ufeff[]', '[{"subject":"メール"}]', '\0']) {
      for (const timestamp of ['1600112502', '0', '99999999999']) {
        expect(() => verifySendGrid(signed(body, timestamp, privateKey), [spki(publicKey)])).not.toThrow();
      }
    }
  });

  test('covers the bytes, even if they are not text', () => {
    const { publicKey, privateKey } = keyPair();
    const body = Buffer.from([0x5b, 0xff, 0xfe, 0x00, 0x5d]);
    const signature = sign('sha256', Buffer.concat([Buffer.from('1600112502'), body]), privateKey).toString('base64');
    const headers = requestOf({ body: '', timestamp: '1600112502', signature }).headers;
    expect(() => verifySendGrid(post(body, headers), [spki(publicKey)])).not.toThrow();
    refusalOf(() => verifySendGrid(post(body.toString(), headers), [spki(publicKey)]), 401);
  });

  test('may be made with any of several keys', () => {
    const vector = signatureVector('dropped');
    const keys = [otherKey, vector.publicKey, spki(keyPair().publicKey)];
    for (const order of [keys, keys.toReversed()]) expect(() => verifySendGrid(requestOf(vector), order)).not.toThrow();
  });

  test('is refused if made with another key', () => {
    for (const name of vectors) refusalOf(() => verifySendGrid(requestOf(signatureVector(name)), [otherKey]), 401);
  });

  test.each(vectors)('is refused with any one byte of the body changed, or one more or less: %s', (name) => {
    const vector = signatureVector(name);
    const { headers, body } = requestOf(vector);
    const refused = (changed: Buffer) =>
      refusalOf(() => verifySendGrid(post(changed, headers), [vector.publicKey]), 401);
    // Changes every byte of a short body, and every 13th byte of a long one.
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
    'is refused if the events were serialized again: %s',
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
    'is refused if the timestamp is not a number, even if it was signed: %j',
    (timestamp) => {
      const { privateKey, publicKey } = keyPair();
      refusalOf(() => verifySendGrid(signed('[]', timestamp, privateKey), [spki(publicKey)]), 401);
    },
  );

  test('of the same bytes, split differently into timestamp and body, leaves invalid JSON', () => {
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
        } catch (error) {
          expect(error).toBeInstanceOf(WebhookRefusal);
        }
      }
    });
    expect(accepted).toEqual([]);
  });

  test.each([
    ['empty', ''],
    ['a space', ' '],
    ['no base64', 'no base64 at all!'],
    ['incomplete base64', 'MEUCIQ'],
    ['only the end of base64', '===='],
    ['a control character', '\u0000'],
    ['long', 'A'.repeat(100_000)],
    ['a sequence that ends early', Buffer.from('30060201010201', 'hex').toString('base64')],
    ['a sequence with a longer number', Buffer.from('3006020100020100', 'hex').toString('base64')],
    ['a sequence with a longer length', Buffer.from('308201000201', 'hex').toString('base64')],
    ['no sequence', Buffer.alloc(64).toString('base64')],
  ])('is refused without an error if it is malformed: %s', (_, signature) => {
    const vector = signatureVector('dropped');
    refusalOf(() => verifySendGrid(requestOf({ ...vector, signature }), [vector.publicKey]), 401);
  });

  test('is refused if it is not a signature at all', () => {
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
  const unusable: [what: string, key: string][] = [
    ['empty', ''],
    ['a space', ' '],
    ['no key', 'no key'],
    ['without its end', vector.publicKey.slice(0, -8)],
    ['without its beginning', vector.publicKey.slice(8)],
    ['in PEM', `-----BEGIN PUBLIC KEY-----\n${vector.publicKey}\n-----END PUBLIC KEY-----`],
    ['of RSA', der(rsa)],
    ['of P-384', der(otherCurve)],
    ['of Ed25519', der(edwards)],
    ['long', 'A'.repeat(100_000)],
  ];
  const unusableKeys = unusable.map(([, key]) => key);

  test('refuse every post if none is configured, and the answer says what to set', () => {
    expect(refusalOf(() => verifySendGrid(request, []), 503)).toMatch(
      /has no public key; put .* into sendgridPublicKeys/,
    );
    expect(refusalOf(() => verifySendGrid(post('[]'), []), 503)).toMatch(/has no public key/);
  });

  test.each(unusable)('refuse every post if they are invalid, and the answer says so: %s', (_, key) => {
    expect(refusalOf(() => verifySendGrid(request, [key]), 503)).toMatch(/has no P-256 key/);
  });

  test('may include invalid keys beside a good one', () => {
    expect(() => verifySendGrid(request, [...unusableKeys, vector.publicKey])).not.toThrow();
  });

  test('may contain white space from copying', () => {
    expect(() => verifySendGrid(request, [` ${vector.publicKey}\n`])).not.toThrow();
  });

  test('are never in a refusal, nor is the signature', () => {
    for (const key of [...unusableKeys.slice(2), 'MFkwEwYHKoZIzj0CAQYI']) {
      const status = 503;
      expect(refusalOf(() => verifySendGrid(request, [key]), status)).not.toContain(key);
    }
  });
});

test('a post is verified before it is parsed', () => {
  const { publicKey, body, signature, timestamp } = signatureVector('dropped');
  const headers = {
    ...JSON_TYPE,
    'x-twilio-email-event-webhook-signature': signature,
    'x-twilio-email-event-webhook-timestamp': timestamp,
  };
  expect(acceptSendGrid(post(body, headers), [publicKey])).toEqual(JSON.parse(body));
  refusalOf(() => acceptSendGrid(post('{', headers), [publicKey]), 401);
});

describe('the body', () => {
  test.each(['application/json', 'application/json;charset=utf-8', 'Application/JSON ; charset=UTF-8'])(
    'may have the content type %s',
    (type) => {
      expect(parseSendGrid(post('[{"event":"open"}]', { 'content-type': type }))).toEqual([{ event: 'open' }]);
    },
  );

  test.each(['dropped', 'processed-and-blocked', 'test-your-integration'])('is read as signed: %s', (name) => {
    const { body } = signatureVector(name);
    expect(parseSendGrid(post(body, JSON_TYPE))).toEqual(JSON.parse(body));
  });

  test.each([undefined, '', 'text/plain', 'application/x-www-form-urlencoded', 'text/json', 'application/jsonp'])(
    'is refused if its content type is %j',
    (type) => {
      refusalOf(() => parseSendGrid(post('[]', type === undefined ? {} : { 'content-type': type })), 415);
    },
  );

  test.each(['', ' ', 'null', '{}', '{"event":"bounce"}', '"[]"', '1', 'true', '[', '[{]', 'event=bounce', '\0'])(
    'is refused if it is not a JSON array: %j',
    (body) => {
      refusalOf(() => parseSendGrid(post(body, JSON_TYPE)), 400);
    },
  );

  test('is not in the refusal', () => {
    const message = refusalOf(() => parseSendGrid(post('secret@example.com', JSON_TYPE)), 400);
    expect(message).not.toContain('secret');
    expect(message).toMatch(/^Error: Cannot read the post: it is not JSON$/);
  });

  test('may hold from 0 to 10,000 events, but not 10,001', () => {
    expect(parseSendGrid(post('[]', JSON_TYPE))).toEqual([]);
    const events = (count: number) => post(JSON.stringify(Array(count).fill({})), JSON_TYPE);
    expect(parseSendGrid(events(10_000))).toHaveLength(10_000);
    expect(refusalOf(() => parseSendGrid(events(10_001)), 413)).toMatch(/10001 events.* at most 10000/);
  });
});
