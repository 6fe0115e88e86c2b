import { expect, test } from 'vitest';
import { PROVIDERS, type Provider } from '../../../lambda/mail/provider.ts';
import { normalizeCustomersMailCloud } from '../../../lambda/providers/customers-mail-cloud/events.ts';
import { PROVIDER_EVENTS } from '../../../lambda/providers/events.ts';
import { normalizeSendGrid } from '../../../lambda/providers/sendgrid/events.ts';
import type { WebhookRequest } from '../../../lambda/webhooks/request.ts';
import { formPost, jsonPost } from './customers-mail-cloud/requests.ts';
import { customersMailCloudPosts, sendGridEvents } from './fixtures.ts';
import { JSON_TYPE, post, refusalOf } from './requests.ts';

const ZONE = 'Asia/Tokyo';

const ofPost = (provider: Provider, request: WebhookRequest) => {
  const { parse, normalize } = PROVIDER_EVENTS[provider];
  return parse(request).map((event) => normalize(event, ZONE));
};
const ofRawEvent = (provider: Provider, raw: unknown) => {
  const { ofRawEvent: parse, normalize } = PROVIDER_EVENTS[provider];
  return parse(raw).map((event) => normalize(event, ZONE));
};

test("SendGrid's posts can be parsed without a signature", () => {
  const received = sendGridEvents('reference-each-event');
  expect(ofPost('sendgrid', post(JSON.stringify(received), JSON_TYPE))).toEqual(received.map(normalizeSendGrid));
});

test.each(customersMailCloudPosts())(
  "Customers Mail Cloud's posts can be parsed without a key, as form and JSON: $event_type",
  ({ event_type, event }) => {
    const expected = Object.entries(event).flatMap(([eventType, entries]) =>
      entries.map((entry) => normalizeCustomersMailCloud({ eventType, entry }, ZONE)),
    );
    expect(ofPost('customers-mail-cloud', jsonPost({ event_type, event }))).toEqual(expected);
    expect(ofPost('customers-mail-cloud', formPost({ event_type, event: JSON.stringify(event) }))).toEqual(expected);
  },
);

test.each(PROVIDERS)('a body that is not a post of %s is refused', (provider) => {
  expect(refusalOf(() => ofPost(provider, post('{', JSON_TYPE)), 400)).toMatch(/the post: it is not JSON$/);
  refusalOf(() => ofPost(provider, post('x', { 'content-type': 'text/plain' })), 415);
});

test('an event that was stored as unrecognized is read again as it came', () => {
  for (const event of [
    normalizeSendGrid({ event: 'new', sg_event_id: 'e', sg_message_id: 'm' }),
    normalizeCustomersMailCloud({ eventType: 'new', entry: { messageId: '<m@example.com>' } }, ZONE),
  ]) {
    if (event.kind !== 'unrecognized') return expect.unreachable();
    expect(ofRawEvent(event.provider, JSON.parse(event.rawEvent))).toEqual([event]);
  }
});

test('a stored entry without its list is read, and a value without entries gives no events', () => {
  const entry = { messageId: '<m@example.com>', status: 'queued', created: '2026-11-24 10:00:00' };
  expect(ofRawEvent('customers-mail-cloud', { deliveries: entry })).toEqual([
    normalizeCustomersMailCloud({ eventType: 'deliveries', entry }, ZONE),
  ]);
  for (const raw of [null, 'text', 5, undefined, {}]) expect(ofRawEvent('customers-mail-cloud', raw)).toEqual([]);
});

test('an event is the same after a JSON round trip', () => {
  const received = sendGridEvents('reference-each-event');
  const { parse, normalize } = PROVIDER_EVENTS.sendgrid;
  const stored: unknown[] = JSON.parse(JSON.stringify(parse(post(JSON.stringify(received), JSON_TYPE))));
  expect(stored.map((event) => normalize(event, ZONE))).toEqual(received.map(normalizeSendGrid));
  for (const { event_type, event } of customersMailCloudPosts()) {
    const { parse, normalize } = PROVIDER_EVENTS['customers-mail-cloud'];
    const entries = parse(jsonPost({ event_type, event }));
    const again: unknown[] = JSON.parse(JSON.stringify(entries));
    expect(again.map((entry) => normalize(entry, ZONE))).toEqual(entries.map((entry) => normalize(entry, ZONE)));
  }
});

test('a stored value that is not an entry of Customers Mail Cloud is an unrecognized event', () => {
  const { normalize } = PROVIDER_EVENTS['customers-mail-cloud'];
  for (const value of [null, 'text', 5, [], {}, { entry: {} }]) {
    expect(normalize(value, ZONE)).toMatchObject({ kind: 'unrecognized', provider: 'customers-mail-cloud' });
  }
});
