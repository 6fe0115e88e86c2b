/** Completes the failures that were recorded before their mail was logged. On the stream of the SentLog table. */
import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { environmentVariable } from './aws/environment.ts';
import { eventStore } from './aws/event-store.ts';
import { joinLateEvents } from './aws/late-join.ts';
import { forEachRecord } from './aws/stream-record.ts';

const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const store = eventStore();

const CONCURRENCY = 8;

export function handler(event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> {
  return forEachRecord(event, CONCURRENCY, (record) => joinLateEvents(record, retentionDays, store));
}
