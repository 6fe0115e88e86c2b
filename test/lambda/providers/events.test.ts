import { expect, test } from 'vitest';
import { PROVIDERS } from '../../../lambda/mail/provider.ts';
import { normalizeCustomersMailCloud } from '../../../lambda/providers/customers-mail-cloud/events.ts';
import { PROVIDER_EVENTS } from '../../../lambda/providers/events.ts';
import { normalizeSendGrid } from '../../../lambda/providers/sendgrid/events.ts';
import { formPost, jsonPost } from './customers-mail-cloud/requests.ts';
import { customersMailCloudPosts, sendGridEvents } from './fixtures.ts';
import { JSON_TYPE, post, refusalOf } from './requests.ts';

const ZONE = 'Asia/Tokyo';

test("SendGrid's posts are read without a signature", () => {
  const received = sendGridEvents('reference-each-event');
  const { ofPost } = PROVIDER_EVENTS.sendgrid;
  expect(ofPost(post(JSON.stringify(received), JSON_TYPE), ZONE)).toEqual(received.map(normalizeSendGrid));
});

test.each(customersMailCloudPosts())(
  "Customers Mail Cloud's posts are read without a key, as form and JSON: $event_type",
  ({ event_type, event }) => {
    const { ofPost } = PROVIDER_EVENTS['customers-mail-cloud'];
    const expected = Object.entries(event).flatMap(([eventType, entries]) =>
      entries.map((entry) => normalizeCustomersMailCloud({ eventType, entry }, ZONE)),
    );
    expect(ofPost(jsonPost({ event_type, event }), ZONE)).toEqual(expected);
    expect(ofPost(formPost({ event_type, event: JSON.stringify(event) }), ZONE)).toEqual(expected);
  },
);

test.each(PROVIDERS)('what is no post of %s is refused', (provider) => {
  const { ofPost } = PROVIDER_EVENTS[provider];
  expect(refusalOf(() => ofPost(post('{', JSON_TYPE), ZONE), 400)).toMatch(/the post: it is not JSON$/);
  refusalOf(() => ofPost(post('x', { 'content-type': 'text/plain' }), ZONE), 415);
});

test('what was kept as unrecognized is read again as it came', () => {
  for (const event of [
    normalizeSendGrid({ event: 'new', sg_event_id: 'e', sg_message_id: 'm' }),
    normalizeCustomersMailCloud({ eventType: 'new', entry: { messageId: '<m@example.com>' } }, ZONE),
  ]) {
    if (event.kind !== 'unrecognized') return expect.unreachable();
    expect(PROVIDER_EVENTS[event.provider].ofRawEvent(JSON.parse(event.rawEvent), ZONE)).toEqual([event]);
  }
});

test('an entry that was kept without its list is read, and what has no entries has no events', () => {
  const { ofRawEvent } = PROVIDER_EVENTS['customers-mail-cloud'];
  const entry = { messageId: '<m@example.com>', status: 'queued', created: '2026-11-24 10:00:00' };
  expect(ofRawEvent({ deliveries: entry }, ZONE)).toEqual([
    normalizeCustomersMailCloud({ eventType: 'deliveries', entry }, ZONE),
  ]);
  for (const raw of [null, 'text', 5, undefined, {}]) expect(ofRawEvent(raw, ZONE)).toEqual([]);
});
