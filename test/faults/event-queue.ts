/** Local mode's EventQueue, behind a proxy that can make requests fail. */
import { SQSClient } from '@aws-sdk/client-sqs';
import { CLIENT_SETTINGS } from '../../lambda/aws/clients.ts';
import { ALLOW_ALL } from '../../local/access.ts';
import { startAwsApi } from '../../local/aws-api/aws-api.ts';
import { sqsCalls } from '../../local/aws-api/sqs-calls.ts';
import type { Cleanup } from '../../local/cleanup.ts';
import { LocalQueue, type QueueMessage } from '../../local/event-sources/queue.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

const VISIBILITY_TIMEOUT_MS = 360_000;
const BATCH_SIZE = 10;

export interface TestQueue {
  readonly url: string;
  readonly proxy: FaultProxy;
  /** The receivers' client settings, but with only three attempts per request. */
  readonly patient: SQSClient;
  /** One attempt. */
  readonly impatient: SQSClient;
  /** The number of messages in the queue, including those that were received and not deleted. */
  size(): number;
  /** A batch as the event source receives it. Waits first until the visibility timeout of every received message is over. */
  take(): Promise<QueueMessage[]>;
  delete(messageIds: readonly string[]): Promise<void>;
}

export async function startTestQueue(dir: string, requestTimeoutMs: number, cleanup: Cleanup): Promise<TestQueue> {
  let nowMs = 0;
  const queue = await LocalQueue.open({
    name: 'EventQueue',
    arn: 'arn:aws:sqs:ap-northeast-1:000000000000:EventQueue',
    dir,
    visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS,
    now: () => nowMs,
  });
  const api = await startAwsApi();
  cleanup.defer('stop answering for SQS', api.stop);
  api.answer(sqsCalls([queue], ALLOW_ALL));
  const proxy = await startFaultProxy(api.origin);
  cleanup.defer('close the proxy of a queue', proxy.close);
  const client = (maxAttempts: number) =>
    new SQSClient({
      endpoint: proxy.endpoint,
      region: 'ap-northeast-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts,
      logger: CLIENT_SETTINGS.logger,
      requestHandler: {
        connectionTimeout: requestTimeoutMs,
        requestTimeout: requestTimeoutMs,
        throwOnRequestTimeout: true,
      },
    });
  return {
    url: `${proxy.endpoint}/000000000000/EventQueue`,
    proxy,
    patient: client(3),
    impatient: client(1),
    size: () => queue.messages().length,
    take() {
      nowMs += VISIBILITY_TIMEOUT_MS + 1;
      return queue.receive(BATCH_SIZE);
    },
    async delete(messageIds) {
      for (const messageId of messageIds) await queue.delete(messageId);
    },
  };
}
