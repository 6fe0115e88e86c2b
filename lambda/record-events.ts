/** The function record-events: records the posts of both providers. Triggered by EventQueue. */
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { environmentVariable } from './aws/environment.ts';
import { eventStore } from './recording/event-store.ts';
import { recordMessages } from './recording/record-messages.ts';

const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const timeZone = environmentVariable('CUSTOMERS_MAIL_CLOUD_TIME_ZONE');
const store = eventStore();

export function handler(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  const endsAtMs = Date.now() + context.getRemainingTimeInMillis();
  return recordMessages(event.Records, { store, retentionDays, timeZone, endsAtMs });
}
