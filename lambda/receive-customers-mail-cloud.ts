/** Records what Customers Mail Cloud's webhook reports, or keeps it safe until it can be recorded. Behind a function URL. */
import { environmentVariable } from './aws/environment.ts';
import { eventStore } from './aws/event-store.ts';
import { errorFields, log } from './aws/log.ts';
import { recordEvents } from './aws/record-events.ts';
import { cachedSecret } from './aws/secrets.ts';
import { spillQueue } from './aws/spill-queue.ts';
import { recordedAnswer, webhookHandler } from './aws/webhook.ts';
import { webhookSecretSchema } from './aws/webhook-secret.ts';
import { acceptCustomersMailCloud, normalizeCustomersMailCloud } from './providers/customers-mail-cloud.ts';

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
