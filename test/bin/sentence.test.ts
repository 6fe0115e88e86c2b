import { expect, test } from 'vitest';
import { outcomeSentence } from '../../bin/support/find/sentence.ts';

const NOW = Date.parse('2026-11-26T00:00:00.000Z');
const mail = { provider: 'sendgrid', sentAt: '2026-11-24T01:02:00.000Z' };

test.each([
  [
    { state: 'delivered', reason: '250 2.0.0 OK\r\n\u001b[31m' },
    'delivered on 24 Nov at 10:03; the receiving server answered 250 2.0.0 OK [31m',
  ],
  [{ state: 'delivered' }, 'delivered on 24 Nov at 10:03'],
  [{ state: 'delivered', occurredAt: '2025-12-31T15:00:00.000Z' }, 'delivered on 1 Jan at 00:00'],
  [{ state: 'delivered', occurredAt: '2025-12-30T15:00:00.000Z' }, 'delivered on 31 Dec 2025 at 00:00'],
  [
    { state: 'bounced', bounceClass: 'hard', reason: '550 5.1.1 User unknown' },
    'bounced on 24 Nov at 10:03, and this address will not work later either; the receiving server answered 550 5.1.1 User unknown',
  ],
  [{ state: 'bounced', bounceClass: 'soft' }, 'bounced on 24 Nov at 10:03, and it may work later'],
  [{ state: 'bounced' }, 'bounced on 24 Nov at 10:03, and it is unknown whether it may work later'],
  [
    { state: 'dropped', reason: 'Bounced Address' },
    'dropped on 24 Nov at 10:03: SendGrid did not try to deliver it: Bounced Address',
  ],
  [{ state: 'complained' }, 'delivered, and reported as spam on 24 Nov at 10:03'],
  [
    { state: 'deferred', reason: '450 later' },
    'deferred on 24 Nov at 10:03; SendGrid keeps trying; the receiving server answered 450 later',
  ],
  [{ state: 'queued' }, 'accepted by SendGrid on 24 Nov at 10:03; the receiving server has not answered yet'],
  [{ state: 'sent' }, 'handed over to SendGrid on 24 Nov at 10:02; no event has been reported yet'],
  [
    { state: 'no-news' },
    'no news: it was handed over to SendGrid on 24 Nov at 10:02, and no event has been reported since. Check the webhook of SendGrid',
  ],
  [{ state: 'waiting', occurredAt: undefined }, 'not sent yet: it waits to be sent'],
  [{ state: 'failed', occurredAt: undefined, reason: 'no address' }, 'failed: no address'],
])('the sentence for %o', (change, sentence) => {
  const recipient = { email: 'a@x.jp', occurredAt: '2026-11-24T01:03:00.000Z', ...change };
  expect(outcomeSentence(recipient, mail, NOW, 'Asia/Tokyo')).toBe(sentence);
});

test.each([
  [
    'sent',
    'logged on 24 Nov at 10:02 for handover to Customers Mail Cloud; no event has been reported yet. The item a1 of Mail says whether it was handed over',
  ],
  [
    'no-news',
    'no news: it was logged on 24 Nov at 10:02 for handover to Customers Mail Cloud, and no event has been reported since. Check the item a1 of Mail and the webhook of Customers Mail Cloud',
  ],
])('a log row of Customers Mail Cloud alone does not say that the mail was handed over: %s', (state, sentence) => {
  const own = { ...mail, provider: 'customers-mail-cloud', mailId: 'a1' };
  expect(outcomeSentence({ state }, own, NOW, 'Asia/Tokyo')).toBe(sentence);
  expect(outcomeSentence({ state }, { ...own, mailId: undefined }, NOW, 'Asia/Tokyo')).not.toMatch(/item|undefined/);
});
