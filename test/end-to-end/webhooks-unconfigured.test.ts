import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { post, runningStack } from './running-stack.ts';

const stack = runningStack({
  webhookSecret: { sendgridPublicKeys: [], customersMailCloud: { apiKeys: [''], basic: [], bearerTokens: [] } },
});

test('without configuration, a post of Customers Mail Cloud is refused, and the answer says what to set', async () => {
  const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
  const body = JSON.stringify({ api_key: '', event_type: 'deliveries', event: { deliveries: [] } });
  await expect(post(url, body, { headers: { 'content-type': 'application/json' } })).resolves.toEqual({
    status: 503,
    body: {
      error: expect.stringMatching(
        /the webhook secret has no credentials; put an api_key, a Basic user or a Bearer token under customersMailCloud/,
      ),
    },
  });
});

test('without configuration, a post of SendGrid is refused, and the answer says what to set', async () => {
  // Local mode adds its simulator's key when it starts. SendGrid has posted nothing since.
  const empty = { sendgridPublicKeys: [], customersMailCloud: { apiKeys: [], basic: [], bearerTokens: [] } };
  await writeFile(join(stack().dir, 'webhook-secret.json'), JSON.stringify(empty));
  await expect(stack().postSendGrid([])).resolves.toEqual({
    status: 503,
    body: {
      error: expect.stringMatching(
        /the webhook secret has no public key; put that of the signed Event Webhook into sendgridPublicKeys/,
      ),
    },
  });
});

const broken = runningStack();

test('if the secret cannot be read, the answer says so, and repeats nothing of it', async () => {
  await writeFile(join(broken().dir, 'webhook-secret.json'), '{"sendgridPublicKeys": "MFkw-secret"');
  const url = broken().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
  await expect(post(url, '{}', { headers: { 'content-type': 'application/json' } })).resolves.toEqual({
    status: 503,
    body: { error: 'Cannot verify the post: the webhook secret cannot be read: its value is not JSON' },
  });
});
