/**
 * The function receive-customers-mail-cloud: verifies each post of the webhook and queues it. Triggered by a function
 * URL.
 */
import { cachedSecret } from './aws/cached-secret.ts';
import { environmentVariable } from './aws/environment.ts';
import { acceptCustomersMailCloud } from './providers/customers-mail-cloud/webhook.ts';
import { eventQueue } from './webhooks/event-queue.ts';
import { receiver } from './webhooks/receiver.ts';
import { webhookSecretSchema } from './webhooks/webhook-secret.ts';

export const handler = receiver({
  provider: 'customers-mail-cloud',
  accept: (request, secret) => acceptCustomersMailCloud(request, secret.customersMailCloud),
  readSecret: cachedSecret(environmentVariable('WEBHOOK_SECRET'), webhookSecretSchema),
  queue: eventQueue(environmentVariable('EVENT_QUEUE_URL')),
});
