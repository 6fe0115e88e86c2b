/** Delivers a stream to a function. */
import type { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { counted } from '../counted.ts';
import { type Invocable, MAX_EVENT_BYTES } from '../functions/local-function.ts';
import { Checkpoints } from './checkpoints.ts';
import { type LambdaRecord, toLambdaRecord } from './lambda-record.ts';
import type { MappingProperties, MappingTiming } from './mapping-settings.ts';
import { deliver } from './stream-delivery.ts';
import { failureDocument } from './stream-failure.ts';
import { followStream, type ShardConsumer } from './stream-reader.ts';

const DEFAULT_BATCH_SIZE = 100;
/** The limit for the records as JSON. 1 KB is left for the frame around them. */
const MAX_BATCH_BYTES = MAX_EVENT_BYTES - 1024;

interface StreamMappingOptions {
  readonly client: DynamoDBStreamsClient;
  /** The engine's own ARN of the stream. */
  readonly engineStreamArn: string;
  readonly properties: MappingProperties;
  readonly target: Invocable;
  readonly region: string;
  readonly checkpointFile: string;
  /** Sends a message about records that were given up. Without a destination, nothing is sent. */
  readonly onFailure?: ((document: string) => Promise<unknown>) | undefined;
  readonly timing: MappingTiming;
  readonly signal: AbortSignal;
  readonly report: (line: string) => void;
}

const SHARD_PAUSE_MS = 5_000;

/** Delivers a table's stream to a function until `signal` aborts. */
export async function runStreamMapping(options: StreamMappingOptions): Promise<void> {
  const { client, engineStreamArn, checkpointFile, timing, signal, report } = options;
  const checkpoints = await Checkpoints.load(checkpointFile, engineStreamArn);
  await followStream({
    client,
    streamArn: engineStreamArn,
    checkpoints,
    pollIntervalMs: timing.pollIntervalMs,
    shardPauseMs: SHARD_PAUSE_MS,
    signal,
    consumer: (shardId) => shardConsumer(shardId, checkpoints, options),
    report,
  });
}

/** Filters a shard's records and delivers them in batches. */
function shardConsumer(shardId: string, checkpoints: Checkpoints, options: StreamMappingOptions): ShardConsumer {
  const { properties, region, target, timing, signal } = options;
  const batchSize = properties.BatchSize ?? DEFAULT_BATCH_SIZE;
  const checkpoint = (after: string) => checkpoints.set(shardId, { after, closed: false });
  const delivery = {
    target,
    properties,
    timing,
    signal,
    checkpoint: ({ sequenceNumber }: LambdaRecord) => checkpoint(sequenceNumber),
    discard: discardTo(shardId, options),
  };
  return async (records) => {
    const read = records.map((record) => toLambdaRecord(record, region, properties.EventSourceArn));
    const wanted = read.filter(({ event }) => properties.FilterCriteria(event));
    for (let waiting = wanted; waiting.length > 0; ) {
      const batch = waiting.slice(0, batchLength(waiting, batchSize));
      await deliver(batch, delivery);
      if (signal.aborted) return;
      waiting = waiting.slice(batch.length);
    }
    // Records that the filter drops are done as soon as no earlier record waits.
    const last = read.at(-1);
    if (last !== undefined && last !== wanted.at(-1)) await checkpoint(last.sequenceNumber);
  };
}

/** The records of one invocation, limited by number and size; at least one. */
function batchLength(records: readonly LambdaRecord[], batchSize: number): number {
  let bytes = 0;
  const tooMany = records.findIndex((record, index) => {
    bytes += record.bytes + 1;
    return index > 0 && (index >= batchSize || bytes > MAX_BATCH_BYTES);
  });
  return tooMany === -1 ? records.length : tooMany;
}

function discardTo(shardId: string, options: StreamMappingOptions): Parameters<typeof deliver>[1]['discard'] {
  const { properties, target, onFailure, report } = options;
  return async (discarded) => {
    const { records, condition } = discarded;
    const source = { functionArn: target.arn, streamArn: properties.EventSourceArn, shardId, now: new Date() };
    await onFailure?.(JSON.stringify(failureDocument(discarded, source)));
    report(`${target.arn.split(':').at(-1)} gave up ${counted(records.length, 'record')} of its stream: ${condition}`);
  };
}
