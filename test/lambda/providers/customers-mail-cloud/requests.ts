/** Posts in the form of Customers Mail Cloud's webhook, and the credentials that they use. */
import type { CustomersMailCloudCredentials } from '../../../../lambda/providers/customers-mail-cloud/webhook.ts';
import { post } from '../requests.ts';

export const FORM = 'application/x-www-form-urlencoded';
export const JSON_TYPE = 'application/json';

export const NONE: CustomersMailCloudCredentials = { apiKeys: [], basic: [], bearerTokens: [] };
export const ALL: CustomersMailCloudCredentials = {
  apiKeys: ['old-key', 'webhook-key'],
  basic: [
    { user: 'old', password: 'old-password' },
    { user: 'hook', password: 'pass:word ü' },
  ],
  bearerTokens: ['old-token', 'new-token'],
};

export const EMPTY_EVENT = { event: { deliveries: [] } };
export const jsonPost = (fields: unknown, headers: Record<string, string> = {}) =>
  post(JSON.stringify(fields), { 'content-type': JSON_TYPE, ...headers });
export const formPost = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
  post(new URLSearchParams(fields).toString(), { 'content-type': FORM, ...headers });
export const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
