import { expect, test } from 'vitest';
import { ofEachProvider, PROVIDERS, providerOf, readProvider } from '../../../lambda/mail/provider.ts';

test.each([
  ['sendgrid', 'sendgrid'],
  ['customers-mail-cloud', 'customers-mail-cloud'],
  [' customers-mail-cloud\n', 'customers-mail-cloud'],
  [undefined, 'sendgrid'],
  ['', 'sendgrid'],
  ['  ', 'sendgrid'],
  ['SendGrid', undefined],
  ['amazon-ses', undefined],
  ['constructor', undefined],
  [null, 'sendgrid'],
  [5, undefined],
])('%j names %s', (name, provider) => {
  expect(readProvider(name)).toBe(provider);
});

test('a row that names no provider is of the default one', () => {
  expect(providerOf({ provider: 'customers-mail-cloud' })).toBe('customers-mail-cloud');
  expect(providerOf({})).toBe('sendgrid');
  expect(providerOf({ provider: 'amazon-ses' })).toBe('sendgrid');
});

test('of each provider something is made, once', () => {
  expect(ofEachProvider((provider) => [provider])).toEqual(
    Object.fromEntries(PROVIDERS.map((provider) => [provider, [provider]])),
  );
});
