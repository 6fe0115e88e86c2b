/** The function join-late-events: completes failures whose mail was logged later. Triggered by SentLog's stream. */
import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { environmentVariable } from './aws/environment.ts';
import { forEachRecord } from './aws/stream-record.ts';
import { eventStore } from './recording/event-store.ts';
import { joinLateEvents } from './recording/late-join.ts';

const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const store = eventStore();

const CONCURRENCY = 8;

export function handler(event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> {
  return forEachRecord(event, CONCURRENCY, (record) => joinLateEvents(record, retentionDays, store));
}
