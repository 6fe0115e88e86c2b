/** Delivers a queue to a function. */
import type { SQSRecord } from 'aws-lambda';
import { messageOf } from '../files.ts';
import { FunctionError, type Invocable, MAX_EVENT_BYTES } from '../functions/local-function.ts';
import { jsonOrUndefined } from '../json.ts';
import { pause } from '../pause.ts';
import { failedItems } from './batch-response.ts';
import type { MappingProperties } from './mapping-settings.ts';
import { type LocalQueue, md5OfBody, type QueueMessage } from './queue.ts';

const DEFAULT_BATCH_SIZE = 10;

interface QueueMappingOptions {
  readonly queue: LocalQueue;
  readonly properties: MappingProperties;
  readonly target: Invocable;
  readonly region: string;
  /** Throws if the function may not do this. */
  readonly authorize: (action: string, resourceArn: string) => Promise<void>;
  readonly signal: AbortSignal;
  /** Waits for `ms`, or until `signal` aborts. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly report: (line: string) => void;
}

/** Lambda starts with five concurrent batches of a standard queue. Each takes a process here, so there are never more. */
const MAX_INVOCATIONS = 5;
/** The limit for the records as JSON. 1 KB is left for the frame around them. */
const MAX_BATCH_BYTES = MAX_EVENT_BYTES - 1024;
/** The pause before a queue that could not be delivered is tried again. */
const ERROR_PAUSE_MS = 1_000;

/**
 * Delivers a queue to a function until `signal` aborts. An invocation starts as soon as messages are visible, in parallel
 * up to the mapping's maximum concurrency. A message that the function does not process is delivered again after the
 * queue's visibility timeout.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 */
export async function runQueueMapping(options: QueueMappingOptions): Promise<void> {
  const { queue, properties, signal, wait = pause, report } = options;
  const limit = Math.min(properties.ScalingConfig?.MaximumConcurrency ?? MAX_INVOCATIONS, MAX_INVOCATIONS);
  const running = new Set<Promise<void>>();
  const recover = async (error: unknown) => {
    if (signal.aborted) return;
    report(`Cannot deliver messages of ${queue.name}: ${messageOf(error)}; trying again`);
    await wait(ERROR_PAUSE_MS, signal);
  };
  while (!signal.aborted) {
    if (running.size === limit) {
      await Promise.race(running);
      continue;
    }
    try {
      const messages = await receive(options);
      if (messages.length === 0) {
        await queue.whenVisible(signal);
        continue;
      }
      const delivery = deliver(messages, options)
        .catch(recover)
        .finally(() => running.delete(delivery));
      running.add(delivery);
    } catch (error) {
      await recover(error);
    }
  }
  await Promise.all(running);
}

async function receive(options: QueueMappingOptions): Promise<QueueMessage[]> {
  const { queue, properties, region, authorize } = options;
  for (const action of ['GetQueueAttributes', 'ReceiveMessage']) await authorize(`sqs:${action}`, queue.arn);
  const bytesOf = (message: QueueMessage) =>
    Buffer.byteLength(JSON.stringify(toRecord(message, queue.arn, region))) + 1;
  return queue.receive(properties.BatchSize ?? DEFAULT_BATCH_SIZE, MAX_BATCH_BYTES, bytesOf);
}

async function deliver(messages: readonly QueueMessage[], options: QueueMappingOptions): Promise<void> {
  const { queue, properties, target, region, authorize } = options;
  const records = messages.map((message) => toRecord(message, queue.arn, region));
  // Filters look into a body that is JSON.
  const wanted = records.filter((record) =>
    properties.FilterCriteria({ ...record, body: jsonOrUndefined(record.body) ?? record.body }),
  );
  const failed = wanted.length === 0 ? new Set<string>() : await invoke(wanted, target, properties);
  for (const { messageId } of records) {
    if (failed.has(messageId)) continue;
    await authorize('sqs:DeleteMessage', queue.arn);
    await queue.delete(messageId);
  }
}

/** @returns the ids of the messages that were not processed. */
async function invoke(
  records: readonly SQSRecord[],
  target: Invocable,
  properties: MappingProperties,
): Promise<ReadonlySet<string>> {
  const ids = records.map(({ messageId }) => messageId);
  try {
    const { payload } = await target.invoke({ Records: records });
    return properties.FunctionResponseTypes.includes('ReportBatchItemFailures') ? failedItems(payload, ids) : new Set();
  } catch (error) {
    if (error instanceof FunctionError) return new Set(ids);
    throw error;
  }
}

function toRecord(message: QueueMessage, queueArn: string, region: string): SQSRecord {
  return {
    messageId: message.messageId,
    receiptHandle: `${message.messageId}#${message.receiveCount}`,
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(message.receiveCount),
      SentTimestamp: String(message.sentAt),
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt ?? message.sentAt),
    },
    messageAttributes: {},
    md5OfBody: md5OfBody(message.body),
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: region,
  };
}
