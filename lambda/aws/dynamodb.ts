/** The DynamoDB client, and batches of gets and puts that retry unprocessed items. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchWriteItemCommand, DynamoDBClient, type WriteRequest } from '@aws-sdk/client-dynamodb';
import { BatchGetCommand, DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { CLIENT_SETTINGS } from './clients.ts';
import { forEachConcurrently } from './for-each-concurrently.ts';

/** A row of any table, as documentClient reads and writes it. */
export type Row = Readonly<Record<string, unknown>>;
export interface Put {
  readonly table: string;
  readonly row: Row;
}

/** The client that all functions use: attributes that are undefined are left out, and every number can be read. */
export function documentClient(client = new DynamoDBClient(CLIENT_SETTINGS)): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(client, {
    // Copies, because the client changes the objects that it gets.
    marshallOptions: { ...MARSHALL_OPTIONS },
    unmarshallOptions: { ...UNMARSHALL_OPTIONS },
  });
}

const MARSHALL_OPTIONS = { removeUndefinedValues: true };

/** DynamoDB's numbers have 38 digits. Those that JavaScript cannot hold are read as text; the SDK would refuse the row. */
export const UNMARSHALL_OPTIONS = {
  wrapNumbers: (digits: string) => {
    const number = Number(digits);
    return Number.isSafeInteger(number) || (!Number.isInteger(number) && String(number) === digits) ? number : digits;
  },
};

/** DynamoDB's limits (API reference, BatchGetItem and BatchWriteItem). */
const GETS_PER_REQUEST = 100;
const PUTS_PER_REQUEST = 25;

/**
 * Gets rows of one table by key, in as few requests as possible.
 *
 * @param keys all different
 * @param options.signal aborts the work, which then throws the signal's reason or the SDK's AbortError
 * @throws the error of the SDK, after its own retries
 */
export async function batchGet(
  client: DynamoDBDocumentClient,
  table: string,
  keys: readonly Row[],
  options: { readonly consistent: boolean; readonly signal: AbortSignal },
): Promise<Row[]> {
  const rows: Row[] = [];
  allowManyRequests(options.signal);
  await forEachConcurrently(chunks(keys, GETS_PER_REQUEST), async (chunk) => {
    let missing: readonly Row[] = chunk;
    for (let attempt = 0; missing.length > 0; attempt++) {
      await backoff(attempt, options.signal);
      const command = new BatchGetCommand({
        RequestItems: { [table]: { Keys: [...missing], ConsistentRead: options.consistent } },
      });
      const answer = await unlessThrottled(client.send(command, { abortSignal: options.signal }));
      if (!answer) continue;
      rows.push(...(answer.Responses?.[table] ?? []));
      missing = answer.UnprocessedKeys?.[table]?.Keys ?? [];
    }
  });
  return rows;
}

/**
 * Puts rows into any tables, in as few requests as possible. If one row is invalid, DynamoDB refuses the whole request.
 * Then the rows of this request are put one by one.
 *
 * @param puts all with different keys
 * @returns the invalid rows, each with DynamoDB's error
 * @throws any other error of the SDK, after its own retries
 */
export async function batchPut<OnePut extends Put>(
  client: DynamoDBDocumentClient,
  puts: readonly OnePut[],
  signal: AbortSignal,
): Promise<{ readonly put: OnePut; readonly error: Error }[]> {
  const invalid: { put: OnePut; error: Error }[] = [];
  allowManyRequests(signal);
  await forEachConcurrently(chunks(puts, PUTS_PER_REQUEST), async (chunk) => {
    try {
      await putChunk(client, chunk, signal);
    } catch (error) {
      if (!isInvalidItem(error)) throw error;
      await forEachConcurrently(chunk, async (put) => {
        try {
          await client.send(new PutCommand({ TableName: put.table, Item: { ...put.row } }), { abortSignal: signal });
        } catch (itemError) {
          if (!isInvalidItem(itemError)) throw itemError;
          invalid.push({ put, error: itemError });
        }
      });
    }
  });
  return invalid;
}

/** Each running request listens to the signal. Node would warn of a leak from the eleventh listener on. */
const allowManyRequests = (signal: AbortSignal) => setMaxListeners(0, signal);

/**
 * Puts rows in one request, and unprocessed ones again. Marshals them itself, because BatchWriteCommand copies each
 * row.
 */
async function putChunk(client: DynamoDBDocumentClient, chunk: readonly Put[], signal: AbortSignal): Promise<void> {
  let missing: Record<string, WriteRequest[]> = {};
  for (const { table, row } of chunk) {
    missing[table] ??= [];
    missing[table].push({ PutRequest: { Item: marshall(row, MARSHALL_OPTIONS) } });
  }
  for (let attempt = 0; Object.keys(missing).length > 0; attempt++) {
    await backoff(attempt, signal);
    const command = new BatchWriteItemCommand({ RequestItems: missing });
    const answer = await unlessThrottled(client.send(command, { abortSignal: signal }));
    if (answer) missing = answer.UnprocessedItems ?? {};
  }
}

const THROTTLED = new Set(['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded']);

/**
 * The answer to a batch; undefined if the SDK gave up because DynamoDB throttled the whole batch. If DynamoDB throttles
 * a part of it, the answer has unprocessed items (API reference, BatchWriteItem). Callers retry both until their signal
 * aborts.
 */
async function unlessThrottled<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && THROTTLED.has(error.name)) return undefined;
    throw error;
  }
}

/** Whether DynamoDB refuses an item, so that a retry is useless. */
export function isInvalidItem(error: unknown): error is Error {
  return error instanceof Error && (error.name === 'ValidationException' || error.name === 'SerializationException');
}

/** Waits before the second try and every further one: exponentially longer, up to 1 s, with full jitter. */
async function backoff(attempt: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (attempt === 0) return;
  await sleep(Math.random() * Math.min(1_000, 25 * 2 ** attempt), undefined, { signal });
}

function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  const result: Item[][] = [];
  for (let start = 0; start < items.length; start += size) result.push(items.slice(start, start + size));
  return result;
}
