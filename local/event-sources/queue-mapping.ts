/** Delivers a queue to a function. */
import type { SQSRecord } from 'aws-lambda';
import { messageOf } from '../files.ts';
import { FunctionError, type Invocable } from '../functions/local-function.ts';
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
  /** Whether the function may do this. */
  readonly authorize: (action: string, resourceArn: string) => Promise<void>;
  readonly signal: AbortSignal;
  readonly report: (line: string) => void;
}

/** Lambda starts with five concurrent batches of a standard queue. Each invocation here is a process: there are no more. */
const MAX_INVOCATIONS = 5;

/** Lambda's limit on the payload of an invocation is 6 MB; the fields around a body take less than this. */
const MAX_BATCH_BYTES = 6 * 1024 * 1024 - 64 * 1024;

/**
 * Delivers a queue to a function until `signal` says stop: batch by batch, several at one time while messages wait. A
 * message that the function does not process comes into sight again after the queue's visibility timeout.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 */
export async function runQueueMapping(options: QueueMappingOptions): Promise<void> {
  const { queue, properties, signal, report } = options;
  const limit = Math.min(properties.ScalingConfig?.MaximumConcurrency ?? MAX_INVOCATIONS, MAX_INVOCATIONS);
  const running = new Set<Promise<void>>();
  const recover = async (error: unknown) => {
    if (signal.aborted) return;
    report(`Cannot deliver ${queue.name}: ${messageOf(error)}; trying again`);
    await pause(ERROR_PAUSE_MS, signal);
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

const ERROR_PAUSE_MS = 1_000;

async function receive({ queue, properties, authorize }: QueueMappingOptions): Promise<QueueMessage[]> {
  for (const action of ['GetQueueAttributes', 'ReceiveMessage']) await authorize(`sqs:${action}`, queue.arn);
  return queue.receive(properties.BatchSize ?? DEFAULT_BATCH_SIZE, MAX_BATCH_BYTES);
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
