/** The payloads and signatures from other receivers' tests. docs/classification.md says where Todoke differs, and why. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { normalizeSendGrid } from '../../../../lambda/providers/sendgrid/events.ts';
import { parseSendGrid, verifySendGrid } from '../../../../lambda/providers/sendgrid/webhook.ts';
import { peerPayloads, signatureVector } from '../fixtures.ts';
import { JSON_TYPE, post, refusalOf } from '../requests.ts';

/** A short form of the row that a payload becomes. */
function rowOf(event: unknown): string {
  const normalized = normalizeSendGrid(event);
  switch (normalized.kind) {
    case 'failure':
      return `${normalized.state} ${normalized.classification.bounceClass}, of ${normalized.messageIds[0] ?? 'no mail'}`;
    case 'progress':
      return `${normalized.state}, of ${normalized.messageIds[0]}`;
    default:
      return normalized.kind;
  }
}

const rowsOf = (peer: string) => Object.fromEntries(peerPayloads(peer).map(({ name, event }) => [name, rowOf(event)]));

const RECORDED = 'wrfRRvF7Q0GgwUo2CvDmEA';
const DOCUMENTED = '14c5d75ce93.dfd.64b469';

test("anymail's payloads", () => {
  expect(rowsOf('anymail')).toEqual({
    'processed event': `queued, of ${RECORDED}`,
    'delivered event': `delivered, of ${RECORDED}`,
    'dropped invalid event': `dropped hard, of ${RECORDED}`,
    'dropped bounced': `dropped hard, of ${DOCUMENTED}`,
    'dropped unsubscribed event': `dropped undetermined, of ${RECORDED}`,
    'bounce event': 'bounced hard, of Lli-03HcQ5-JLybO9fXsJg',
    'deferred event': 'deferred, of u9Gvi3mzT6iC2poAb58_qQ',
    'open event': 'ignored',
    'click event': 'ignored',
    'compatibility message id from smtp id': `delivered, of ${RECORDED}`,
  });
});

test("sendgrid-nodejs's samples", () => {
  expect(rowsOf('sendgrid-nodejs')).toEqual({
    processed: `queued, of ${DOCUMENTED}`,
    deferred: `deferred, of ${DOCUMENTED}`,
    delivered: `delivered, of ${DOCUMENTED}`,
    open: 'ignored',
    click: 'ignored',
    bounce: `bounced hard, of ${DOCUMENTED}`,
    dropped: `dropped hard, of ${DOCUMENTED}`,
    spamreport: `complained undetermined, of ${DOCUMENTED}`,
    unsubscribe: 'ignored',
    'group unsubscribe': 'ignored',
    'group resubscribe': 'ignored',
  });
});

test("StrongGrid's payloads", () => {
  expect(rowsOf('stronggrid')).toEqual({
    processed: `queued, of ${DOCUMENTED}`,
    bounced: `bounced hard, of ${DOCUMENTED}`,
    deferred: `deferred, of ${DOCUMENTED}`,
    dropped: `dropped hard, of ${DOCUMENTED}`,
    blocked: `bounced soft, of ${DOCUMENTED}`,
    delivered: `delivered, of ${DOCUMENTED}`,
    clicked: 'ignored',
    opened: 'ignored',
    spamreport: `complained undetermined, of ${DOCUMENTED}`,
    unsubscribe: 'ignored',
    groupunsubscribe: 'ignored',
    groupresubscribe: 'ignored',
    'with reseller id': 'ignored',
    'message id of this-is-the-messageId.filterdrecv-blablabla': 'queued, of this-is-the-messageId',
    'message id of this-is-the-messageId.recvd-blablabla': 'queued, of this-is-the-messageId',
    'message id of this-is-the-messageId.SomeOtherSeparator-blablabla': 'queued, of this-is-the-messageId',
    'message id of this-messageId-does-not-contain-any-separator':
      'queued, of this-messageId-does-not-contain-any-separator',
  });
});

test("listmonk's payloads", () => {
  expect(rowsOf('listmonk')).toEqual({
    processed: 'queued, of message-1',
    deferred: 'deferred, of message-1',
    delivered: 'delivered, of message-1',
    'bounce, technical': 'bounced soft, of message-2',
    dropped: 'dropped undetermined, of message-3',
    open: 'ignored',
    'delivered without a message id': 'unrecognized',
    'bounce without a message id': 'bounced undetermined, of no mail',
  });
});

test("Notifuse's payloads", () => {
  // Notifuse joins by the whole id. Todoke joins by the part before the first dot, on both sides.
  const id = '14c5d75ce93';
  expect(rowsOf('notifuse')).toEqual({
    'Delivered Event': `delivered, of ${id}`,
    'Delivered Event - Fallback to sg_message_id': `delivered, of ${id}`,
    'Bounce Event - Hard Bounce': `bounced hard, of ${id}`,
    'Blocked Event - Soft Bounce': 'unrecognized',
    'Dropped Event': `dropped hard, of ${id}`,
    'Spam Report Event': `complained undetermined, of ${id}`,
    'Multiple Events in Single Payload: delivered': 'delivered, of msg1',
    'Multiple Events in Single Payload: bounce': 'bounced hard, of msg2',
    'Multiple Events in Single Payload: spamreport': 'complained undetermined, of msg3',
    'Ignored Event Types: processed': 'queued, of msg1',
    'Ignored Event Types: deferred': 'deferred, of msg2',
    'Ignored Event Types: open': 'ignored',
    'Ignored Event Types: click': 'ignored',
    'Bounce Without Status - Uses Reason Only': `bounced hard, of ${id}`,
    'Parse delivered event': `delivered, of ${id}`,
    'Parse bounce event': `bounced hard, of ${id}`,
    'Parse spam report event': `complained undetermined, of ${id}`,
    'Parse blocked event (soft bounce)': 'unrecognized',
    'SendGrid type=bounce → Hard': `bounced hard, of ${id}`,
    'SendGrid Invalid Address category → Hard': `bounced hard, of ${id}`,
    'SendGrid blocked → SoftCount': `bounced soft, of ${id}`,
    'SendGrid dropped → SoftCount': `dropped undetermined, of ${id}`,
    'SendGrid technical → SoftCount': `bounced soft, of ${id}`,
  });
});

test("every recipient is in lower case, as listmonk's test asks", () => {
  for (const peer of ['anymail', 'sendgrid-nodejs', 'stronggrid', 'listmonk', 'notifuse']) {
    for (const { event } of peerPayloads(peer)) {
      const normalized = normalizeSendGrid(event);
      if (!('recipient' in normalized) || event['email'] === undefined) continue;
      expect(normalized.recipient).toBe(String(event['email']).toLowerCase());
    }
  }
});

const single = signatureVector('dropped');
const several = signatureVector('processed-and-blocked');
const object = signatureVector('object');
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const another = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = (key: KeyObject) => key.export({ format: 'der', type: 'spki' }).toString('base64');
const BODY = JSON.stringify(
  peerPayloads('anymail')
    .slice(0, 1)
    .map(({ event }) => event),
);

interface Signed {
  readonly key: string;
  readonly body: string;
  readonly signature: string | undefined;
  readonly timestamp: string | undefined;
}

/** A post that its test signs. */
function signed(change: Partial<Signed> & { readonly over?: string; readonly by?: KeyObject } = {}): Signed {
  const { over = '1787040000', by = own.privateKey, ...changed } = change;
  const { body = BODY } = change;
  const signature = sign('sha256', Buffer.from(over + body), by).toString('base64');
  return { key: spki(own.publicKey), body, signature, timestamp: over, ...changed };
}

const published = ({ publicKey, ...vector }: typeof single): Signed => ({ key: publicKey, ...vector });
const invalid = Buffer.from('invalid').toString('base64');
const inLines = (key: string) => key.replace(/.{64}/g, '$&\n');

test.each<[peer: string, what: string, request: Signed, status: number]>([
  ['sendgrid-nodejs', 'a valid signature of one event', published(single), 200],
  ['sendgrid-nodejs', 'a valid signature of several events', published(several), 200],
  ['sendgrid-nodejs', 'a valid signature, in its first version: over an object', published(object), 200],
  [
    'sendgrid-nodejs',
    'an invalid key',
    {
      ...published(single),
      key: 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA==',
    },
    401,
  ],
  ['sendgrid-nodejs', 'a bad payload', { ...published(single), body: 'payload' }, 401],
  [
    'sendgrid-nodejs',
    'a bad signature',
    {
      ...published(single),
      signature: 'MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0=',
    },
    401,
  ],
  ['sendgrid-nodejs', 'a bad timestamp', { ...published(single), timestamp: 'timestamp' }, 401],
  ['StrongGrid', 'the post of "Test your integration"', published(signatureVector('test-your-integration')), 200],
  ['anymail', 'an invalid signature', signed({ signature: invalid }), 401],
  ['anymail', 'an invalid timestamp', signed({ timestamp: 'invalid data timestamp' }), 401],
  ['anymail', 'both, of another key', signed({ by: another.privateKey, timestamp: 'invalid data timestamp' }), 401],
  ['anymail', 'an empty signature', signed({ signature: '' }), 401],
  ['anymail', 'an empty timestamp', signed({ timestamp: '' }), 401],
  ['anymail', 'both empty', signed({ signature: '', timestamp: '' }), 401],
  ['anymail', 'no signature', signed({ signature: undefined }), 401],
  ['anymail', 'no timestamp, where the signature fits', signed({ over: '', timestamp: undefined }), 401],
  ['anymail', 'neither', signed({ signature: undefined, timestamp: undefined }), 401],
  ['anymail', 'a valid signature', signed(), 200],
  ['anymail', 'a valid signature over a timestamp that is no number', signed({ over: 'data timestamp' }), 401],
  ['anymail', 'a key in several lines', signed({ key: inLines(spki(own.publicKey)) }), 200],
  ['listmonk', 'a valid signature', signed({ body: '[{"event":"delivered"}]' }), 200],
  ['listmonk', 'a malformed signature', signed({ body: '[{"event":"delivered"}]', signature: invalid }), 401],
  ['listmonk', 'no JSON, signed', signed({ body: 'not-json' }), 400],
  ['Notifuse', 'no JSON, signed', signed({ body: '{invalid json' }), 400],
])('%s: %s', (_, __, { key, body, signature, timestamp }, status) => {
  const request = post(body, {
    ...JSON_TYPE,
    ...(signature !== undefined && { 'x-twilio-email-event-webhook-signature': signature }),
    ...(timestamp !== undefined && { 'x-twilio-email-event-webhook-timestamp': timestamp }),
  });
  const verify = () => verifySendGrid(request, [key]);
  if (status === 401) {
    refusalOf(verify, 401);
  } else {
    verify();
    if (status === 400) refusalOf(() => parseSendGrid(request), 400);
  }
});
