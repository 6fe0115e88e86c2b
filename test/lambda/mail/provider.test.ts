import { expect, test } from 'vitest';
import { readProvider } from '../../../lambda/mail/provider.ts';

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
  [null, undefined],
  [5, undefined],
])('%j names %s', (name, provider) => {
  expect(readProvider(name)).toBe(provider);
});
