/** Settings of an event source mapping. */
import * as z from 'zod';
import { eventFilter } from './event-filter.ts';

/**
 * What local mode reads of an `AWS::Lambda::EventSourceMapping`. The types refuse settings that local mode cannot follow.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
 */
export const mappingProperties = z.object({
  BatchSize: z.number().int().positive().optional(),
  BisectBatchOnFunctionError: z.boolean().default(false),
  DestinationConfig: z.object({ OnFailure: z.object({ Destination: z.string() }).optional() }).default({}),
  Enabled: z.literal(true).optional(),
  EventSourceArn: z.string(),
  /** Becomes a function that decides about a record. */
  FilterCriteria: z
    .object({ Filters: z.array(z.object({ Pattern: z.string() })) })
    .prefault({ Filters: [] })
    .transform(({ Filters }) => eventFilter(Filters.map(({ Pattern }) => Pattern))),
  /** A name or an ARN. */
  FunctionName: z.string(),
  FunctionResponseTypes: z.array(z.literal('ReportBatchItemFailures')).default([]),
  MaximumBatchingWindowInSeconds: z.literal(0).optional(),
  /** -1: as long as the stream keeps them. */
  MaximumRecordAgeInSeconds: z.number().default(-1),
  /** -1: without limit. */
  MaximumRetryAttempts: z.number().default(-1),
  ParallelizationFactor: z.literal(1).optional(),
  /** Of a queue: how many invocations there may be at one time. */
  ScalingConfig: z.object({ MaximumConcurrency: z.number().int().min(2).max(1000).optional() }).optional(),
  StartingPosition: z.literal('TRIM_HORIZON').optional(),
  TumblingWindowInSeconds: z.literal(0).optional(),
});
export type MappingProperties = z.output<typeof mappingProperties>;

/** Intervals; shorter in tests. */
export interface MappingTiming {
  /** Pause before an empty stream is read again; four times as long after nine empty reads. */
  readonly pollIntervalMs: number;
  /** Pause before a stream's batch is tried again; `retry` counts from 1. */
  readonly retryDelayMs: (retry: number) => number;
  /** Replaces the visibility timeouts of the template. */
  readonly visibilityTimeoutMs?: number | undefined;
}

/** Lambda does not document its pauses; these double up to a minute, so that ten retries take some minutes. */
export const DEFAULT_TIMING: MappingTiming = {
  pollIntervalMs: 150,
  retryDelayMs: (retry) => Math.min(500 * 2 ** (retry - 1), 60_000),
};
