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

test('a row that names no provider belongs to the default one', () => {
  expect(providerOf({ provider: 'customers-mail-cloud' })).toBe('customers-mail-cloud');
  expect(providerOf({})).toBe('sendgrid');
  expect(providerOf({ provider: 'amazon-ses' })).toBe('sendgrid');
});

test('a value is made once for each provider', () => {
  expect(ofEachProvider((provider) => [provider])).toEqual(
    Object.fromEntries(PROVIDERS.map((provider) => [provider, [provider]])),
  );
});
