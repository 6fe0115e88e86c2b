/** Completes the bounces that were recorded before their mail was logged. On the stream of the SentLog table. */
import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { environmentVariable } from './aws/environment.ts';
import { joinLateEvents } from './aws/late-join.ts';
import { forEachRecord } from './aws/stream-record.ts';
import { documentClient } from './aws/tables.ts';

const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const store = {
  client: documentClient(),
  sentLogTable: environmentVariable('SENT_LOG_TABLE'),
  bounceTable: environmentVariable('BOUNCE_TABLE'),
};

const CONCURRENCY = 8;

export function handler(event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> {
  return forEachRecord(event, CONCURRENCY, (record) => joinLateEvents(record, retentionDays, store));
}
