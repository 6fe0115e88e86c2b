/** Makes the message for an on-failure destination. */
import { randomUUID } from 'node:crypto';
import type { LambdaRecord } from './lambda-record.ts';

/** Why records were given up. */
export type FailureCondition = 'RetryAttemptsExhausted' | 'RecordAgeExceeded';

/** Records that were given up, and their attempts. */
export interface Discarded {
  readonly records: readonly [LambdaRecord, ...LambdaRecord[]];
  readonly condition: FailureCondition;
  readonly invocations: number;
  readonly lastRequestId: string | undefined;
  readonly functionError: boolean;
}

interface FailureSource {
  readonly functionArn: string;
  readonly streamArn: string;
  readonly shardId: string;
  readonly now: Date;
}

/**
 * The message that Lambda sends to an on-failure destination: the position of the records in the stream, not the records.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
 */
export function failureDocument(discarded: Discarded, source: FailureSource): Record<string, unknown> {
  const { records, condition, invocations, lastRequestId, functionError } = discarded;
  const [first] = records;
  const last = records.at(-1) ?? first;
  return {
    requestContext: {
      requestId: lastRequestId ?? randomUUID(),
      functionArn: source.functionArn,
      condition,
      approximateInvokeCount: invocations,
    },
    // Records that were too old before the first try have no response.
    ...(invocations > 0 && {
      responseContext: {
        statusCode: 200,
        executedVersion: '$LATEST',
        ...(functionError && { functionError: 'Unhandled' }),
      },
    }),
    version: '1.0',
    timestamp: source.now.toISOString(),
    DDBStreamBatchInfo: {
      shardId: source.shardId,
      startSequenceNumber: first.sequenceNumber,
      endSequenceNumber: last.sequenceNumber,
      approximateArrivalOfFirstRecord: isoSeconds(first.createdAt),
      approximateArrivalOfLastRecord: isoSeconds(last.createdAt),
      batchSize: records.length,
      streamArn: source.streamArn,
    },
  };
}

const isoSeconds = (timeMs: number) => new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z');
