import { expect, test } from 'vitest';
import { post, runningStack } from './running-stack.ts';

// The simulator's own public key is added to every local secret: it is not the one that signed these posts.
const stack = runningStack({
  webhookSecret: { sendgridPublicKeys: [], customersMailCloud: { apiKeys: [''], basic: [], bearerTokens: [] } },
});

test('with nothing configured Customers Mail Cloud is refused, and the answer says what to set', async () => {
  const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
  const body = JSON.stringify({ api_key: '', event_type: 'deliveries', event: { deliveries: [] } });
  await expect(post(url, body, { headers: { 'content-type': 'application/json' } })).resolves.toEqual({
    status: 503,
    body: {
      error: expect.stringMatching(
        /put an api_key, a Basic user or a Bearer token under customersMailCloud in the webhook secret/,
      ),
    },
  });
});
