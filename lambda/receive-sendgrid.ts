/** Records what SendGrid's Event Webhook reports. Behind API Gateway. */
import { environmentVariable } from './aws/environment.ts';
import { cachedSecret } from './aws/secrets.ts';
import { normalizeSendGrid } from './providers/sendgrid/events.ts';
import { parseSendGrid, verifySendGrid } from './providers/sendgrid/webhook.ts';
import { eventStore } from './recording/event-store.ts';
import { recordEvents } from './recording/record-events.ts';
import { recordedAnswer, webhookHandler } from './webhooks/receiver.ts';
import { webhookSecretSchema } from './webhooks/webhook-secret.ts';

const webhookSecret = cachedSecret(environmentVariable('WEBHOOK_SECRET'), webhookSecretSchema);
const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const store = eventStore();

export const handler = webhookHandler('sendgrid', async (request, receivedAtMs, signal) => {
  verifySendGrid(request, (await webhookSecret()).sendgridPublicKeys);
  const events = parseSendGrid(request).map(normalizeSendGrid);
  return recordedAnswer(events, await recordEvents(events, { receivedAtMs, retentionDays }, store, signal));
});
