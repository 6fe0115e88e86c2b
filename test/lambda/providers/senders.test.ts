import { afterEach, expect, test, vi } from 'vitest';
import { PROVIDERS } from '../../../lambda/mail/provider.ts';
import { notSent } from '../../../lambda/providers/sender.ts';
import { openSenders, unavailableSenders } from '../../../lambda/providers/senders.ts';
import { failureOf, mail } from './mails.ts';

afterEach(() => vi.restoreAllMocks());

/** The initial value of the secret. */
const nothingSetUp = { sendgridApiKey: '', customersMailCloudSmtp: { host: '', port: 587, user: '', password: '' } };

test('every provider has a sender', () => {
  vi.spyOn(console, 'warn').mockReturnValue();
  const senders = openSenders(nothingSetUp, 'https://api.sendgrid.com');
  expect(Object.keys(senders).toSorted()).toEqual(PROVIDERS.toSorted());
});

test('an unavailable sender chooses message ids exactly if the sender that it replaces does', () => {
  vi.spyOn(console, 'warn').mockReturnValue();
  const senders = openSenders(nothingSetUp, 'https://api.sendgrid.com');
  const inTheirPlace = unavailableSenders(notSent('deferred', 'account', 'Cannot send'));
  for (const provider of PROVIDERS) {
    expect(inTheirPlace[provider].choosesMessageId).toBe(senders[provider].choosesMessageId);
  }
});

test('the sender of a provider without settings refuses, and says what to set', async () => {
  vi.spyOn(console, 'warn').mockReturnValue();
  const senders = openSenders(nothingSetUp, 'https://api.sendgrid.com');
  for (const sender of Object.values(senders)) {
    const error = await failureOf(sender.send(mail(), '<id@example.com>'));
    expect(error).toMatchObject({ kind: 'refused', blames: 'account' });
    expect(error.reason).toMatch(/^Cannot send: the sender secret has no .*; put it into /);
    sender.close();
  }
});
