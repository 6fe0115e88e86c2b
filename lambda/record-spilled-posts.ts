/** Records the posts of Customers Mail Cloud that could not be recorded when they came. On the spill queue. */
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { environmentVariable } from './aws/environment.ts';
import { errorFields, log } from './aws/log.ts';
import { metricFields } from './aws/metric.ts';
import { normalizeCustomersMailCloud } from './providers/customers-mail-cloud/events.ts';
import { eventCounts } from './recording/event-counts.ts';
import { eventStore } from './recording/event-store.ts';
import { recordEvents } from './recording/record-events.ts';
import { readSpillMessage } from './webhooks/event-queue.ts';

const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const timeZone = environmentVariable('CUSTOMERS_MAIL_CLOUD_TIME_ZONE');
const store = eventStore();

/** A message gets this long; five of them fit into the function's minute. */
const RECORD_MS = 10_000;

export async function handler(event: SQSEvent): Promise<SQSBatchResponse> {
  const batchItemFailures = [];
  for (const record of event.Records) {
    try {
      const { receivedAtMs, entries } = readSpillMessage(record.body);
      const events = entries.map((entry) => normalizeCustomersMailCloud(entry, timeZone));
      const signal = AbortSignal.timeout(RECORD_MS);
      const { unmatched, ...counts } = await recordEvents(events, { receivedAtMs, retentionDays }, store, signal);
      log('info', 'recorded a spilled post', {
        messageId: record.messageId,
        ...counts,
        ...metricFields('customers-mail-cloud', eventCounts(events, unmatched)),
      });
    } catch (error) {
      log('error', 'Cannot record a spilled post: it stays in the queue', {
        messageId: record.messageId,
        ...errorFields(error),
      });
      batchItemFailures.push({ itemIdentifier: record.messageId });
    }
  }
  return { batchItemFailures };
}
