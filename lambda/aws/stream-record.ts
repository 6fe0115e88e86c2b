/** Reads the records of a table's stream, and works through a batch of them. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { type Row, UNMARSHALL_OPTIONS } from './dynamodb.ts';
import { forEachConcurrently } from './for-each-concurrently.ts';
import { errorFields, log } from './log.ts';

/** A record of a table's stream with the row as it was after the change. */
export interface StreamRecord {
  /** Unique for the record, and the same at every delivery. */
  readonly eventId: string;
  /** When the row was written; Unix milliseconds, to the second. */
  readonly writtenAtMs: number;
  readonly row: Row;
}

/**
 * Works through a batch of stream records, several at a time. A record that fails does not stop the others. The
 * response names the records that Lambda must deliver again.
 *
 * @param work throws if its record must be delivered again
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
 * The row of an image. An attribute that cannot be read is left out. Otherwise its record would fail at every delivery,
 * and block its shard. DynamoDB Local 3 writes such an attribute: an empty map as `{}`.
 */
function readRow(image: Image): Row {
  // The types of the event and of the SDK differ only in which fields are optional.
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
