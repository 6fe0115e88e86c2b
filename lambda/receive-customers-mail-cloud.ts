/** Records what Customers Mail Cloud's webhook reports, or keeps it safe until it can be recorded. Behind a function URL. */
import { environmentVariable } from './aws/environment.ts';
import { errorFields, log } from './aws/log.ts';
import { cachedSecret } from './aws/secrets.ts';
import { normalizeCustomersMailCloud } from './providers/customers-mail-cloud/events.ts';
import { acceptCustomersMailCloud } from './providers/customers-mail-cloud/webhook.ts';
import { eventStore } from './recording/event-store.ts';
import { recordEvents } from './recording/record-events.ts';
import { spillQueue } from './webhooks/event-queue.ts';
import { recordedAnswer, webhookHandler } from './webhooks/receiver.ts';
import { webhookSecretSchema } from './webhooks/webhook-secret.ts';

const webhookSecret = cachedSecret(environmentVariable('WEBHOOK_SECRET'), webhookSecretSchema);
const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const timeZone = environmentVariable('CUSTOMERS_MAIL_CLOUD_TIME_ZONE');
const spill = spillQueue(environmentVariable('SPILL_QUEUE_URL'));
const store = eventStore();

/** Storage has until then, from the receipt on; what is left is enough to spill. */
const RECORD_UNTIL_MS = 4_500;

export const handler = webhookHandler('customers-mail-cloud', async (request, receivedAtMs, signal) => {
  const entries = acceptCustomersMailCloud(request, (await webhookSecret()).customersMailCloud);
  const events = entries.map((entry) => normalizeCustomersMailCloud(entry, timeZone));
  try {
    const recorded = await recordEvents(
      events,
      { receivedAtMs, retentionDays },
      store,
      AbortSignal.any([signal, AbortSignal.timeout(Math.max(0, receivedAtMs + RECORD_UNTIL_MS - Date.now()))]),
    );
    return recordedAnswer(events, recorded);
  } catch (error) {
    // Whether Customers Mail Cloud would send the post again is not documented.
    log('warn', 'Cannot record a post now: it is put into the spill queue', errorFields(error));
    await spill.put({ receivedAtMs, entries }, signal);
    // Its events count when they are recorded.
    return { body: { spilled: true }, counts: {} };
  }
});
