/** The function receive-sendgrid: verifies each post of the Event Webhook and queues it. Triggered by a REST API. */
import { cachedSecret } from './aws/cached-secret.ts';
import { environmentVariable } from './aws/environment.ts';
import { acceptSendGrid } from './providers/sendgrid/webhook.ts';
import { eventQueue } from './webhooks/event-queue.ts';
import { receiver } from './webhooks/receiver.ts';
import { webhookSecretSchema } from './webhooks/webhook-secret.ts';

export const handler = receiver({
  provider: 'sendgrid',
  accept: (request, secret) => acceptSendGrid(request, secret.sendgridPublicKeys),
  readSecret: cachedSecret(environmentVariable('WEBHOOK_SECRET'), webhookSecretSchema),
  queue: eventQueue(environmentVariable('EVENT_QUEUE_URL')),
});
