/** Records what SendGrid's Event Webhook reports. Behind API Gateway. */
import { environmentVariable } from './aws/environment.ts';
import { eventStore } from './aws/event-store.ts';
import { recordEvents } from './aws/record-events.ts';
import { cachedSecret } from './aws/secrets.ts';
import { recordedAnswer, webhookHandler } from './aws/webhook.ts';
import { webhookSecretSchema } from './aws/webhook-secret.ts';
import { normalizeSendGrid, parseSendGrid, verifySendGrid } from './providers/sendgrid.ts';

const webhookSecret = cachedSecret(environmentVariable('WEBHOOK_SECRET'), webhookSecretSchema);
const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const store = eventStore();

export const handler = webhookHandler('sendgrid', async (request, receivedAtMs, signal) => {
  verifySendGrid(request, (await webhookSecret()).sendgridPublicKeys);
  const events = parseSendGrid(request).map(normalizeSendGrid);
  return recordedAnswer(events, await recordEvents(events, { receivedAtMs, retentionDays }, store, signal));
});
