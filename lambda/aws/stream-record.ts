/** Works through a batch of a table's stream. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { type Row, UNMARSHALL_OPTIONS } from './dynamodb.ts';
import { forEachConcurrently } from './for-each-concurrently.ts';
import { errorFields, log } from './log.ts';

/** A record of a table's stream with the row as it was after the change. */
export interface StreamRecord {
  /** The same whenever this record is delivered, and no other record's. */
  readonly eventId: string;
  /** When the row was written; Unix milliseconds, to the second. */
  readonly writtenAtMs: number;
  readonly row: Row;
}

/**
 * Works through a batch of stream records, several at one time, and answers which of them are to be delivered again.
 * One that fails keeps no other from being done.
 *
 * @param work throws where its record must be delivered again
 * @param retryFields what else the log says of such a record
 */
export async function forEachRecord(
  event: DynamoDBStreamEvent,
  concurrency: number,
  work: (record: StreamRecord) => Promise<void>,
  retryFields: (record: StreamRecord) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<DynamoDBBatchResponse> {
  const batchItemFailures: DynamoDBBatchResponse['batchItemFailures'] = [];
  await forEachConcurrently(
    event.Records,
    async (record) => {
      const streamRecord = readRecord(record);
      if (!streamRecord) return;
      try {
        await work(streamRecord);
      } catch (error) {
        log('warn', 'Cannot finish a stream record: it will be delivered again', {
          sequenceNumber: record.dynamodb?.SequenceNumber,
          ...errorFields(error),
          ...retryFields(streamRecord),
        });
        batchItemFailures.push({ itemIdentifier: record.dynamodb?.SequenceNumber ?? '' });
      }
    },
    concurrency,
  );
  return { batchItemFailures };
}

function readRecord({ eventID, dynamodb }: DynamoDBRecord): StreamRecord | undefined {
  if (!dynamodb?.NewImage) return undefined;
  return {
    eventId: eventID ?? '',
    writtenAtMs: (dynamodb.ApproximateCreationDateTime ?? 0) * 1000,
    // The event's own type differs from the SDK's only in what of a value is optional.
    row: unmarshall(dynamodb.NewImage as Record<string, AttributeValue>, UNMARSHALL_OPTIONS),
  };
}
