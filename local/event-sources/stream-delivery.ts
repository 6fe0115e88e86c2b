/** Delivers one batch to a function: retries it, splits it, gives it up. */
import { FunctionError, type Invocable } from '../functions/local-function.ts';
import { pause } from '../pause.ts';
import { failedItems } from './batch-response.ts';
import type { LambdaRecord } from './lambda-record.ts';
import type { MappingProperties, MappingTiming } from './mapping-settings.ts';
import type { Discarded, FailureCondition } from './stream-failure.ts';

interface DeliveryOptions {
  readonly target: Invocable;
  readonly properties: MappingProperties;
  readonly timing: MappingTiming;
  readonly signal: AbortSignal;
  /** Stores that all records up to this one are done. */
  readonly checkpoint: (last: LambdaRecord) => Promise<void>;
  /** Reports records that are given up. */
  readonly discard: (discarded: Discarded) => Promise<void>;
}

/** A part of a batch that is still to be delivered, and what was done for it so far. */
interface Piece {
  readonly records: readonly [LambdaRecord, ...LambdaRecord[]];
  readonly retries: number;
  readonly invocations: number;
  readonly lastRequestId?: string | undefined;
  readonly functionError: boolean;
}

/**
 * Delivers a batch to the function as Lambda does: it is retried as a whole, from the lowest failed record on, or in
 * halves, until every record is processed or given up. Returns early when `signal` aborts, with the checkpoints set so far.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
 */
export async function deliver(records: readonly LambdaRecord[], options: DeliveryOptions): Promise<void> {
  const { signal, timing, checkpoint } = options;
  const pieces = asPieces(records, { retries: 0, invocations: 0, functionError: false });
  for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
    if (signal.aborted) return;
    const expired = countExpired(piece, options);
    if (expired > 0) {
      await giveUp(piece, expired, 'RecordAgeExceeded', options);
      pieces.unshift(...asPieces(piece.records.slice(expired), piece));
      continue;
    }
    const tried = await attempt(piece, options);
    // An invocation that the stop interrupts does not count as failed: the batch is delivered again at the next start.
    if (signal.aborted && tried.processed < piece.records.length) return;
    const lastProcessed = piece.records[tried.processed - 1];
    if (lastProcessed !== undefined) await checkpoint(lastProcessed);
    const [next, ...others] = afterFailure(tried, piece, options.properties);
    if (next === undefined) continue;
    if (isExhausted(next, options.properties)) {
      await giveUp(next, next.records.length, 'RetryAttemptsExhausted', options);
      pieces.unshift(...others);
      continue;
    }
    pieces.unshift(next, ...others);
    if (next.retries > piece.retries) await pause(timing.retryDelayMs(next.retries), signal);
  }
}

interface Attempt {
  /** How many records from the first one on are done with. */
  readonly processed: number;
  readonly requestId: string;
  readonly functionError: boolean;
}

async function attempt({ records }: Piece, { target, properties }: DeliveryOptions): Promise<Attempt> {
  try {
    const { payload, requestId } = await target.invoke({ Records: records.map(({ event }) => event) });
    if (!properties.FunctionResponseTypes.includes('ReportBatchItemFailures')) {
      return { processed: records.length, requestId, functionError: false };
    }
    const ids = records.map(({ sequenceNumber }) => sequenceNumber);
    const failed = failedItems(payload, ids);
    const firstFailed = ids.findIndex((id) => failed.has(id));
    return { processed: firstFailed === -1 ? records.length : firstFailed, requestId, functionError: false };
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    return { processed: 0, requestId: error.requestId, functionError: true };
  }
}

/** What is left to deliver, in order. Splitting a batch does not count as a retry. */
function afterFailure(tried: Attempt, piece: Piece, properties: MappingProperties): Piece[] {
  const left = piece.records.slice(tried.processed);
  const history = {
    retries: piece.retries,
    invocations: piece.invocations + 1,
    lastRequestId: tried.requestId,
    functionError: tried.functionError,
  };
  if (properties.BisectBatchOnFunctionError) {
    // A partial answer splits the batch at the record that it names.
    if (tried.processed > 0) return asPieces(left, history);
    if (tried.functionError && left.length > 1) {
      const middle = Math.ceil(left.length / 2);
      return [...asPieces(left.slice(0, middle), history), ...asPieces(left.slice(middle), history)];
    }
  }
  return asPieces(left, { ...history, retries: piece.retries + 1 });
}

const isExhausted = ({ retries }: Piece, { MaximumRetryAttempts }: MappingProperties) =>
  MaximumRetryAttempts >= 0 && retries > MaximumRetryAttempts;

/** How many records, from the first one on, are older than the mapping allows. */
function countExpired({ records }: Piece, { properties }: DeliveryOptions): number {
  const maxAgeSeconds = properties.MaximumRecordAgeInSeconds;
  if (maxAgeSeconds < 0) return 0;
  const firstLive = records.findIndex(({ createdAt }) => Date.now() - createdAt <= maxAgeSeconds * 1000);
  return firstLive === -1 ? records.length : firstLive;
}

async function giveUp(piece: Piece, count: number, condition: FailureCondition, options: DeliveryOptions) {
  const [first, ...others] = piece.records.slice(0, count);
  if (first === undefined) return;
  const { invocations, lastRequestId, functionError } = piece;
  await options.discard({ records: [first, ...others], condition, invocations, lastRequestId, functionError });
  await options.checkpoint(others.at(-1) ?? first);
}

function asPieces(records: readonly LambdaRecord[], history: Omit<Piece, 'records'>): Piece[] {
  const [first, ...others] = records;
  return first === undefined ? [] : [{ ...history, records: [first, ...others] }];
}
