/** Makes the stream of a table the event source of a function. */
import { Duration } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { EventSourceMapping, FilterCriteria, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { acknowledge } from './acknowledge.ts';
import type { Queues } from './queues.ts';
import type { Storage } from './storage.ts';
import type { TodokeFunction } from './todoke-function.ts';

export interface ReadStreamProps {
  readonly storage: Storage;
  readonly queues: Queues;
  /** The function receives records that match any of these filters. */
  readonly filters: readonly Record<string, unknown>[];
}

/** Older records are given up and reported. It is less than the day for which a stream keeps its records. */
const MAX_RECORD_AGE = Duration.hours(12);

/**
 * Makes a table's stream a function's event source. Records come in order. Lambda retries a failing batch for hours,
 * and splits it down to single records. The CDK's own event source is not used, because it lets the function use the
 * key for anything.
 */
export function readStream(reader: TodokeFunction, table: Table, props: ReadStreamProps): void {
  const { storage, queues, filters } = props;
  new EventSourceMapping(reader, 'Stream', {
    target: reader,
    eventSourceArn: storage.grantStream(reader, table),
    startingPosition: StartingPosition.TRIM_HORIZON,
    batchSize: 100,
    reportBatchItemFailures: true,
    bisectBatchOnError: true,
    // No limit but the age, because a function that fails fast would use up any number within minutes.
    retryAttempts: -1,
    maxRecordAge: MAX_RECORD_AGE,
    onFailure: queues.failureDestination,
    filters: filters.map((filter) => FilterCriteria.filter(filter)),
  });
  acknowledge(
    reader.defaultPolicy,
    'IAM5[Resource::*]',
    'Only dynamodb:ListStreams, which Lambda asks for, which shows no data, and which IAM knows for no single stream.',
  );
}
