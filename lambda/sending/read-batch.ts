/** Reads the batches of send-mail's two event sources. */
import type { DynamoDBStreamEvent, SQSEvent } from 'aws-lambda';
import { errorFields, log } from '../aws/log.ts';
import { readRecord } from '../aws/stream-record.ts';
import { readSending } from './retry-queue.ts';
import type { Delivery } from './send-batch.ts';
import { newSending } from './sending.ts';

export interface Batch {
  readonly isOfStream: boolean;
  readonly deliveries: readonly Delivery[];
  /** The ids of messages that cannot be read. SQS moves these messages to FailureQueue. */
  readonly unreadable: readonly string[];
}

/** The sendings that the records of the stream start, or that the messages of RetryQueue continue. */
export function readBatch(event: DynamoDBStreamEvent | SQSEvent): Batch {
  const deliveries: Delivery[] = [];
  const unreadable: string[] = [];
  let isOfStream = false;
  for (const record of event.Records) {
    if ('body' in record) {
      try {
        deliveries.push({ itemIdentifier: record.messageId, sending: readSending(record.body) });
      } catch (error) {
        log('error', 'Cannot read a message of RetryQueue', { messageId: record.messageId, ...errorFields(error) });
        unreadable.push(record.messageId);
      }
      continue;
    }
    isOfStream = true;
    const streamRecord = readRecord(record);
    // The item was deleted.
    if (!streamRecord) continue;
    deliveries.push({ itemIdentifier: record.dynamodb?.SequenceNumber ?? '', sending: newSending(streamRecord) });
  }
  return { isOfStream, deliveries, unreadable };
}
