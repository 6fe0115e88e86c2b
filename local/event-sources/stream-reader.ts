/** Reads a stream's shards in order. */
import {
  type _Record,
  DescribeStreamCommand,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
} from '@aws-sdk/client-dynamodb-streams';
import { messageOf } from '../files.ts';
import { pause } from '../pause.ts';
import type { Checkpoints } from './checkpoints.ts';

/** Pause between requests for new shards while no shard is open. */
const FIRST_SHARD_PAUSE_MS = 1_000;
/** The pause before a stream that cannot be read is tried again, such as while the engine restarts. */
const ERROR_PAUSE_MS = 500;

interface StreamReaderOptions {
  readonly client: DynamoDBStreamsClient;
  /** The engine's own. */
  readonly streamArn: string;
  readonly checkpoints: Checkpoints;
  readonly pollIntervalMs: number;
  /** Pause between requests for new shards while shards are open. The end of a shard causes a request at once. */
  readonly shardPauseMs: number;
  readonly signal: AbortSignal;
  /** Makes the receiver of a shard's records, starting at the shard's checkpoint. */
  readonly consumer: (shardId: string) => ShardConsumer;
  readonly report: (line: string) => void;
}

/** Gets every page of a shard in order, empty ones too, and sets the checkpoints. */
export type ShardConsumer = (records: readonly _Record[]) => Promise<void>;

/** Reads a stream's shards, children after their parents, until `signal` aborts. Errors are reported and retried. */
export async function followStream(options: StreamReaderOptions): Promise<void> {
  const { checkpoints, signal, report } = options;
  const reading = new Map<string, Promise<void>>();
  let failing = false;

  while (!signal.aborted) {
    try {
      const shards = await listShards(options);
      await checkpoints.keepOnly(new Set(shards.map(({ ShardId = '' }) => ShardId)));
      failing = false;
      for (const shardId of readable(shards, checkpoints)) {
        if (reading.has(shardId)) continue;
        const done = readShard(options, shardId).finally(() => reading.delete(shardId));
        reading.set(shardId, done);
      }
    } catch (error) {
      if (!signal.aborted && !failing) report(`Cannot read ${options.streamArn}: ${messageOf(error)}; trying again`);
      failing = true;
    }
    const pauseMs = reading.size > 0 ? options.shardPauseMs : FIRST_SHARD_PAUSE_MS;
    await Promise.race([pause(pauseMs, signal), ...reading.values()]);
  }
  await Promise.all(reading.values());
}

async function listShards({ client, streamArn, signal }: StreamReaderOptions): Promise<Shard[]> {
  const shards: Shard[] = [];
  let after: string | undefined;
  do {
    const command = new DescribeStreamCommand({ StreamArn: streamArn, ExclusiveStartShardId: after });
    const { StreamDescription } = await client.send(command, { abortSignal: signal });
    shards.push(...(StreamDescription?.Shards ?? []));
    after = StreamDescription?.LastEvaluatedShardId;
  } while (after !== undefined);
  return shards;
}

/** The shards that are not read to their end, and whose parents are: an item's changes must stay in order. */
function readable(shards: readonly Shard[], checkpoints: Checkpoints): string[] {
  const open = new Set(shards.flatMap(({ ShardId = '' }) => (checkpoints.get(ShardId)?.closed ? [] : [ShardId])));
  return shards.flatMap(({ ShardId = '', ParentShardId = '' }) =>
    open.has(ShardId) && !open.has(ParentShardId) ? [ShardId] : [],
  );
}

async function readShard(options: StreamReaderOptions, shardId: string): Promise<void> {
  const { client, checkpoints, signal, pollIntervalMs, report } = options;
  try {
    const consume = options.consumer(shardId);
    // An open shard may name an ending sequence number: only the missing next iterator says that it is closed.
    let iterator = await iteratorAt(options, shardId);
    let mayBeRenewed = true;
    let emptyReads = 0;
    while (iterator !== undefined && !signal.aborted) {
      const command = new GetRecordsCommand({ ShardIterator: iterator });
      const page = await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
        // DynamoDB Local fails like this when a shard gets its first record. A new iterator gives the record.
        if (!mayBeRenewed || !isTrimmed(error)) throw error;
      });
      if (page === undefined) {
        mayBeRenewed = false;
        iterator = await iteratorAt(options, shardId);
        continue;
      }
      const records = page.Records ?? [];
      if (records.length > 0) mayBeRenewed = false;
      iterator = page.NextShardIterator;
      await consume(records);
      emptyReads = records.length === 0 ? emptyReads + 1 : 0;
      if (iterator !== undefined && emptyReads > 0) await pause(pollIntervalMs * idleFactor(emptyReads), signal);
    }
    if (iterator === undefined) await checkpoints.set(shardId, { ...checkpoints.get(shardId), closed: true });
  } catch (error) {
    if (signal.aborted) return;
    report(`Cannot read ${shardId}: ${messageOf(error)}; going on from the last checkpoint`);
    await pause(ERROR_PAUSE_MS, signal);
  }
}

/** Saves CPU time while a stream is idle: after nine empty reads, the pause is four times as long. */
const idleFactor = (emptyReads: number) => Math.min(4, 1 + Math.floor(emptyReads / 3));

async function iteratorAt({ client, streamArn, checkpoints, signal }: StreamReaderOptions, shardId: string) {
  const after = checkpoints.get(shardId)?.after;
  const shard = { StreamArn: streamArn, ShardId: shardId };
  const fromStart = new GetShardIteratorCommand({ ...shard, ShardIteratorType: 'TRIM_HORIZON' });
  const get = async (command: GetShardIteratorCommand) =>
    (await client.send(command, { abortSignal: signal })).ShardIterator;
  if (after === undefined) return get(fromStart);
  const command = new GetShardIteratorCommand({
    ...shard,
    ShardIteratorType: 'AFTER_SEQUENCE_NUMBER',
    SequenceNumber: after,
  });
  try {
    return await get(command);
  } catch (error) {
    // The stream keeps records for a day; unread ones are then lost, as on AWS.
    if (!isTrimmed(error)) throw error;
    return get(fromStart);
  }
}

const isTrimmed = (error: unknown) => error instanceof Error && error.name === 'TrimmedDataAccessException';
