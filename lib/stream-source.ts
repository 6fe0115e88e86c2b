import { Duration } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { FilterCriteria, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { DynamoEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { Queues } from './queues.ts';

export interface StreamSourceProps {
  /** The function sees the records of which one of these holds. */
  readonly filters: readonly Record<string, unknown>[];
  readonly queues: Queues;
}

/** A table's stream as a function's event source: every record, in order, tried again for hours, one by one in the end. */
export function streamSource(table: Table, props: StreamSourceProps): DynamoEventSource {
  if (!hasStream(table)) throw new Error(`Cannot read the stream of ${table.node.path}: it has none`);
  return new DynamoEventSource(table, {
    startingPosition: StartingPosition.TRIM_HORIZON,
    batchSize: 100,
    reportBatchItemFailures: true,
    bisectBatchOnError: true,
    retryAttempts: 10,
    maxRecordAge: Duration.hours(12),
    onFailure: props.queues.failureDestination,
    filters: props.filters.map((filter) => FilterCriteria.filter(filter)),
  });
}

function hasStream(table: Table): table is Table & { readonly tableStreamArn: string } {
  return table.tableStreamArn !== undefined;
}
