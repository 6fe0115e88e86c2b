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
 */
export async function forEachRecord(
  event: DynamoDBStreamEvent,
  concurrency: number,
  work: (record: StreamRecord) => Promise<void>,
): Promise<DynamoDBBatchResponse> {
  const batchItemFailures: DynamoDBBatchResponse['batchItemFailures'] = [];
  await forEachConcurrently(
    event.Records,
    async (record) => {
      try {
        const streamRecord = readRecord(record);
        if (streamRecord) await work(streamRecord);
      } catch (error) {
        log('warn', 'Cannot finish a stream record: it will be delivered again', {
          sequenceNumber: record.dynamodb?.SequenceNumber,
          ...errorFields(error),
        });
        batchItemFailures.push({ itemIdentifier: record.dynamodb?.SequenceNumber ?? '' });
      }
    },
    concurrency,
  );
  return { batchItemFailures };
}

/** The record with its row; undefined if the row was removed. */
export function readRecord({ eventID, dynamodb }: DynamoDBRecord): StreamRecord | undefined {
  if (!dynamodb?.NewImage) return undefined;
  return {
    eventId: eventID ?? '',
    writtenAtMs: (dynamodb.ApproximateCreationDateTime ?? 0) * 1000,
    row: readRow(dynamodb.NewImage),
  };
}

/** A record of a stream with both images: the row before and after the change. */
export function readChange({ dynamodb }: DynamoDBRecord) {
  const { OldImage, NewImage, SequenceNumber = '' } = dynamodb ?? {};
  return {
    sequenceNumber: SequenceNumber,
    oldRow: OldImage && readRow(OldImage),
    row: NewImage && readRow(NewImage),
  };
}

type Image = NonNullable<NonNullable<DynamoDBRecord['dynamodb']>['NewImage']>;

/**
 * The row of an image. An attribute that cannot be read is left out: a record that failed for it would fail at each
 * delivery, and hold up its shard. DynamoDB Local 3 writes an empty map as `{}`.
 */
function readRow(image: Image): Row {
  // The event's own type differs from the SDK's only in what of a value is optional.
  const read = (part: Image): Row => unmarshall(part as Record<string, AttributeValue>, UNMARSHALL_OPTIONS);
  try {
    return read(image);
  } catch (error) {
    log('warn', 'Cannot read an attribute of a stream record: it is left out', errorFields(error));
  }
  const row: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(image)) {
    try {
      row[name] = read({ [name]: value })[name];
    } catch {
      // Left out.
    }
  }
  return row;
}
