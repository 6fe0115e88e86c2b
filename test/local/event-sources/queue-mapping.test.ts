import { readdir } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { mappingProperties } from '../../../local/event-sources/mapping-settings.ts';
import { LocalQueue, type QueueOptions } from '../../../local/event-sources/queue.ts';
import { runQueueMapping } from '../../../local/event-sources/queue-mapping.ts';
import { openQueues } from '../../../local/event-sources/queues.ts';
import { FunctionError, type Invocable } from '../../../local/functions/local-function.ts';
import { temporaryDataFolder, temporaryFolder, whenFinished } from '../../temporary.ts';
import { REGION, resolve } from '../support.ts';

const until = (check: () => unknown) => vi.waitFor(check, { timeout: 5_000, interval: 5 });
const eventSchema = z.object({ Records: z.array(z.looseObject({ messageId: z.string(), body: z.string() })) });

async function openQueue(options: Partial<QueueOptions> = {}): Promise<LocalQueue> {
  const arn = 'arn:aws:sqs:ap-northeast-1:000000000000:Todoke-SpillQueue-local';
  const dir = options.dir ?? temporaryFolder();
  return LocalQueue.open({ name: 'Todoke-SpillQueue-local', arn, dir, visibilityTimeoutMs: 0, ...options });
}

/** Runs a mapping with a function that is given as code; returns the bodies of each batch. */
function run(
  queue: LocalQueue,
  properties: object,
  handle: (records: z.infer<typeof eventSchema>['Records']) => unknown,
) {
  const batches: string[][] = [];
  const stopping = new AbortController();
  const target: Invocable = {
    logicalId: 'RecordSpilledPosts',
    arn: 'arn:aws:lambda:ap-northeast-1:000000000000:function:RecordSpilledPosts',
    async invoke(event) {
      const { Records } = eventSchema.parse(event);
      batches.push(Records.map(({ body }) => body));
      return { requestId: 'request', payload: await handle(Records) };
    },
  };
  const running = runQueueMapping({
    queue,
    properties: mappingProperties.parse({ EventSourceArn: queue.arn, FunctionName: target.arn, ...properties }),
    target,
    region: REGION,
    authorize: async () => undefined,
    timing: { pollIntervalMs: 5, retryDelayMs: () => 1 },
    signal: stopping.signal,
    report: () => undefined,
  });
  whenFinished(async () => {
    stopping.abort();
    await running;
  });
  return batches;
}

const fails = (): never => {
  throw new FunctionError({ errorType: 'Error', errorMessage: 'no' }, 'request');
};

describe('a queue mapping', () => {
  test('hands over messages in the shape that Lambda gives them, and deletes them', async () => {
    const queue = await openQueue();
    const { messageId } = await queue.send('届け');
    const seen: unknown[] = [];
    run(queue, {}, (records) => seen.push(...records));
    await until(() => expect(queue.messages()).toEqual([]));
    expect(seen).toEqual([
      {
        messageId,
        receiptHandle: expect.any(String),
        body: '届け',
        attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: expect.stringMatching(/^\d{13}$/),
          SenderId: expect.any(String),
          ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
        },
        messageAttributes: {},
        md5OfBody: '48e43f91e077d200c5bcfb05b405b6bd',
        eventSource: 'aws:sqs',
        eventSourceARN: queue.arn,
        awsRegion: REGION,
      },
    ]);
  });

  test('delivers batches of the given size', async () => {
    const queue = await openQueue();
    for (const body of ['1', '2', '3']) await queue.send(body);
    const batches = run(queue, { BatchSize: 2 }, () => null);
    await until(() => expect(batches.map((batch) => batch.length)).toEqual([2, 1]));
  });

  test('brings back only what the function reports as failed', async () => {
    const queue = await openQueue();
    for (const body of ['good', 'bad']) await queue.send(body);
    let tries = 0;
    const batches = run(queue, { FunctionResponseTypes: ['ReportBatchItemFailures'] }, (records) => ({
      batchItemFailures: records.flatMap(({ body, messageId }) =>
        body === 'bad' && ++tries < 3 ? [{ itemIdentifier: messageId }] : [],
      ),
    }));
    await until(() => expect(queue.messages()).toEqual([]));
    expect(batches[0]?.toSorted()).toEqual(['bad', 'good']);
    expect(batches.slice(1)).toEqual([['bad'], ['bad']]);
  });

  test('moves a message to the dead letter queue when it was received too often', async () => {
    const deadLetterQueue = await openQueue({ name: 'FailureQueue' });
    const queue = await openQueue({ redrive: { deadLetterQueue, maxReceiveCount: 3 } });
    const { messageId } = await queue.send('poison');
    const batches = run(queue, {}, fails);
    await until(() => expect(queue.messages()).toEqual([]));
    expect(batches).toEqual([['poison'], ['poison'], ['poison']]);
    expect(deadLetterQueue.messages()[0]).toMatchObject({ messageId, body: 'poison', receiveCount: 0 });
  });
});

describe('a queue', () => {
  test('hides a received message for the visibility timeout', async () => {
    let now = 1_000_000;
    const queue = await openQueue({ visibilityTimeoutMs: 30_000, now: () => now });
    await queue.send('a');
    expect(await queue.receive(10)).toHaveLength(1);
    now += 29_999;
    expect(await queue.receive(10)).toEqual([]);
    now += 1;
    expect(await queue.receive(10)).toMatchObject([{ body: 'a', receiveCount: 2 }]);
  });

  test('keeps its messages and their counts over a restart, one whole file each', async () => {
    const dir = temporaryFolder();
    const before = await openQueue({ dir, visibilityTimeoutMs: 60_000 });
    await before.send('a');
    await before.receive(1);
    expect(await readdir(dir)).toEqual([expect.stringMatching(/^\d{15}-.*\.json$/)]);
    const after = await openQueue({ dir });
    expect(await after.receive(1)).toMatchObject([{ body: 'a', receiveCount: 2 }]);
  });

  test('is opened as the template says, whatever the order there', async () => {
    const template = resolve({
      Resources: {
        Spill: {
          Type: 'AWS::SQS::Queue',
          Properties: {
            VisibilityTimeout: 0,
            RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Failures', 'Arn'] }, maxReceiveCount: 1 },
          },
        },
        Failures: { Type: 'AWS::SQS::Queue' },
      },
    });
    const queues = await openQueues(template, await temporaryDataFolder());
    const spill = queues.get('Spill');
    await spill?.send('a');
    await spill?.receive(1);
    await spill?.receive(1);
    expect(queues.get('Failures')?.messages()).toMatchObject([{ body: 'a' }]);
  });
});
