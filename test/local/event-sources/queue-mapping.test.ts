import { cp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { mappingProperties } from '../../../local/event-sources/mapping-settings.ts';
import { LocalQueue, type QueueOptions } from '../../../local/event-sources/queue.ts';
import { runQueueMapping } from '../../../local/event-sources/queue-mapping.ts';
import { openQueues } from '../../../local/event-sources/queues.ts';
import { FunctionError, type Invocable } from '../../../local/functions/local-function.ts';
import { temporaryDataFolder, temporaryFolder, whenFinished } from '../../temporary.ts';
import { REGION, resolve } from '../support.ts';
import { FakeClock } from './fake-clock.ts';

const until = (check: () => unknown) => vi.waitFor(check, { timeout: 5_000, interval: 5 });
const eventSchema = z.object({ Records: z.array(z.looseObject({ messageId: z.string(), body: z.string() })) });

async function openQueue(options: Partial<QueueOptions> = {}): Promise<LocalQueue> {
  const arn = 'arn:aws:sqs:ap-northeast-1:000000000000:Todoke-EventQueue-local';
  const dir = options.dir ?? temporaryFolder();
  return LocalQueue.open({ name: 'Todoke-EventQueue-local', arn, dir, visibilityTimeoutMs: 60_000, ...options });
}

/** Runs a mapping whose function is given as code. Returns the bodies of each batch. */
function run(
  queue: LocalQueue,
  properties: object,
  handle: (records: z.infer<typeof eventSchema>['Records']) => unknown,
  options: Partial<Parameters<typeof runQueueMapping>[0]> = {},
) {
  const batches: string[][] = [];
  const stopping = new AbortController();
  const target: Invocable = {
    logicalId: 'RecordEvents',
    arn: 'arn:aws:lambda:ap-northeast-1:000000000000:function:RecordEvents',
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
    signal: stopping.signal,
    report: () => undefined,
    ...options,
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
  test("passes messages in Lambda's form, and deletes them", async () => {
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

  test('limits a batch to the size that Lambda allows', async () => {
    const queue = await openQueue();
    for (const size of [1_000_000, 4_000_000, 2_000_000, 7_000_000, 10]) await queue.send('x'.repeat(size));
    const batches = run(queue, {}, () => null);
    await until(() => expect(batches.flat()).toHaveLength(5));
    // Later messages do not overtake. A message that is larger than a batch is delivered alone.
    expect(batches.map((batch) => batch.map(({ length }) => length))).toEqual([
      [1_000_000, 4_000_000],
      [2_000_000],
      [7_000_000],
      [10],
    ]);
  });

  test('measures a batch as JSON, where a quotation mark takes two bytes', async () => {
    const queue = await openQueue();
    for (let n = 0; n < 4; n++) await queue.send('"'.repeat(1_000_000));
    const batches = run(queue, {}, () => null);
    await until(() => expect(batches.map((batch) => batch.length)).toEqual([3, 1]));
  });

  test('delivers a message that comes while it waits at once', async () => {
    const queue = await openQueue(new FakeClock());
    const batches = run(queue, {}, () => null);
    for (const body of ['1', '2', '3']) {
      await queue.send(body);
      await until(() => expect(queue.messages()).toEqual([]));
    }
    expect(batches).toEqual([['1'], ['2'], ['3']]);
  });

  test('delivers delayed messages when they are due, in any order of sending', async () => {
    const clock = new FakeClock();
    const queue = await openQueue(clock);
    const batches = run(queue, {}, () => null);
    await queue.send('20 s', { delayMs: 20_000 });
    await queue.send('5 s', { delayMs: 5_000 });
    clock.advance(5_000);
    await until(() => expect(queue.messages()).toMatchObject([{ body: '20 s' }]));
    clock.advance(15_000);
    await until(() => expect(queue.messages()).toEqual([]));
    expect(batches).toEqual([['5 s'], ['20 s']]);
  });

  test.each([
    ['as many concurrent invocations as the mapping allows', { ScalingConfig: { MaximumConcurrency: 2 } }, 2],
    ['five concurrent invocations if the mapping has no limit', {}, 5],
    ['five concurrent invocations if the mapping allows more', { ScalingConfig: { MaximumConcurrency: 1000 } }, 5],
  ])('runs %s', async (_, properties, limit) => {
    const queue = await openQueue();
    const open: (() => void)[] = [];
    const batches = run(
      queue,
      { BatchSize: 1, ...properties },
      () => new Promise<void>((resolve) => open.push(resolve)),
    );
    const bodies = Array.from({ length: limit + 1 }, (_, n) => String(n));
    for (const body of bodies) await queue.send(body);
    await until(() => expect(open).toHaveLength(limit));
    expect(queue.counts()).toEqual({ visible: 1, inFlight: limit, delayed: 0 });
    open[0]?.();
    await until(() => expect(open).toHaveLength(limit + 1));
    expect(batches).toEqual(bodies.map((body) => [body]));
    for (const end of open) end();
    await until(() => expect(queue.messages()).toEqual([]));
  });

  test('runs one invocation for messages that fit into one batch', async () => {
    const queue = await openQueue();
    for (const body of ['1', '2', '3']) await queue.send(body);
    const batches = run(queue, {}, () => null);
    await until(() => expect(queue.messages()).toEqual([]));
    expect(batches).toEqual([['1', '2', '3']]);
  });

  test('refuses a maximum concurrency that Lambda refuses', () => {
    const parse = (MaximumConcurrency: number) =>
      mappingProperties.safeParse({ EventSourceArn: 'a', FunctionName: 'f', ScalingConfig: { MaximumConcurrency } });
    expect([1, 2, 1000, 1001].map((n) => parse(n).success)).toEqual([false, true, true, false]);
  });

  test('delivers other messages while one invocation hangs', async () => {
    const queue = await openQueue();
    let end = () => {};
    const hang = new Promise<void>((resolve) => {
      end = resolve;
    });
    const batches = run(queue, {}, ([record]) => (record?.body === 'hangs' ? hang : null));
    await queue.send('hangs');
    await until(() => expect(batches).toHaveLength(1));
    await queue.send('next');
    await until(() => expect(queue.messages()).toMatchObject([{ body: 'hangs' }]));
    end();
    await until(() => expect(queue.messages()).toEqual([]));
  });

  test('delivers again only what the function reports as failed, after the visibility timeout', async () => {
    const clock = new FakeClock();
    const queue = await openQueue(clock);
    for (const body of ['good', 'bad']) await queue.send(body);
    let tries = 0;
    const batches = run(queue, { FunctionResponseTypes: ['ReportBatchItemFailures'] }, (records) => ({
      batchItemFailures: records.flatMap(({ body, messageId }) =>
        body === 'bad' && ++tries < 3 ? [{ itemIdentifier: messageId }] : [],
      ),
    }));
    for (let n = 1; n <= 3; n++) {
      await until(() => expect(batches).toHaveLength(n));
      await until(() => expect(queue.messages().map(({ body }) => body)).toEqual(n < 3 ? ['bad'] : []));
      clock.advance(59_999);
      expect(batches).toHaveLength(n);
      clock.advance(1);
    }
    expect(batches).toEqual([['good', 'bad'], ['bad'], ['bad']]);
  });

  test('delivers a message again if its invocation does not answer within the visibility timeout', async () => {
    const clock = new FakeClock();
    const queue = await openQueue(clock);
    await queue.send('a');
    let end = () => {};
    const hang = new Promise<void>((resolve) => {
      end = resolve;
    });
    const batches = run(queue, {}, () => (batches.length === 1 ? hang : null));
    await until(() => expect(batches).toHaveLength(1));
    clock.advance(60_000);
    await until(() => expect(queue.messages()).toEqual([]));
    expect(batches).toEqual([['a'], ['a']]);
    end();
  });

  test('reports that it cannot receive messages, and tries again after a pause', async () => {
    const clock = new FakeClock();
    const queue = await openQueue(clock);
    await queue.send('a');
    const reported: string[] = [];
    let isAllowed = false;
    const batches = run(queue, {}, () => null, {
      wait: clock.wait,
      report: (line) => reported.push(line),
      async authorize() {
        if (!isAllowed) throw new Error('not authorized');
      },
    });
    await until(() =>
      expect(reported).toEqual([`Cannot deliver messages of ${queue.name}: not authorized; trying again`]),
    );
    isAllowed = true;
    clock.advance(1_000);
    await until(() => expect(batches).toEqual([['a']]));
  });

  test('moves a message to the dead letter queue when it was received too often', async () => {
    const clock = new FakeClock();
    const deadLetterQueue = await openQueue({ name: 'FailureQueue' });
    const queue = await openQueue({ ...clock, redrive: { deadLetterQueue, maxReceiveCount: 3 } });
    const { messageId } = await queue.send('poison');
    const batches = run(queue, {}, fails);
    for (let n = 1; n <= 3; n++) {
      await until(() => expect(batches).toHaveLength(n));
      clock.advance(60_000);
    }
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

  test('shows a message after its delay, also after a restart', async () => {
    let now = 1_000_000;
    const dir = temporaryFolder();
    const options = { dir, now: () => now, delayMs: 5_000 };
    const before = await openQueue(options);
    await before.send('later', { delayMs: 900_000 });
    await before.send("by the queue's delay");
    await before.send('at once', { delayMs: 0 });
    expect(before.counts()).toEqual({ visible: 1, inFlight: 0, delayed: 2 });
    expect(await before.receive(10)).toMatchObject([{ body: 'at once' }]);
    await before.delete(before.messages().find(({ body }) => body === 'at once')?.messageId ?? '');

    now += 5_000;
    const after = await openQueue(options);
    expect(await after.receive(10)).toMatchObject([{ body: "by the queue's delay" }]);
    now += 894_999;
    expect(after.counts()).toMatchObject({ delayed: 1 });
    now += 1;
    expect(await after.receive(10)).toContainEqual(expect.objectContaining({ body: 'later', receiveCount: 1 }));
  });

  test('reads no more messages than the batch that it returns', async () => {
    const queue = await openQueue();
    for (let n = 0; n < 100; n++) await queue.send(String(n));
    const bytesOf = vi.fn(() => 1);
    expect(await queue.receive(10, 1_000, bytesOf)).toHaveLength(10);
    expect(bytesOf).toHaveBeenCalledTimes(10);
    bytesOf.mockClear();
    expect(await queue.receive(10, 5, bytesOf)).toHaveLength(5);
    expect(bytesOf).toHaveBeenCalledTimes(6);
  });

  test('deletes messages in any order, whether they are visible, in flight or delayed', async () => {
    const queue = await openQueue(new FakeClock());
    const [first, second] = [await queue.send('in flight'), await queue.send('in flight too')];
    await queue.receive(2);
    const visible = await queue.send('visible');
    const delayed = [await queue.send('10 s', { delayMs: 10_000 }), await queue.send('5 s', { delayMs: 5_000 })];
    for (const { messageId } of [second, visible, ...delayed]) await queue.delete(messageId);
    expect(queue.counts()).toEqual({ visible: 0, inFlight: 1, delayed: 0 });
    await queue.delete(second.messageId);
    expect(queue.messages()).toMatchObject([{ messageId: first.messageId }]);
  });

  test('leaves no file of a message that is deleted while it is received a second time', async () => {
    const dir = temporaryFolder();
    const queue = await openQueue({ dir, visibilityTimeoutMs: 0 });
    const { messageId } = await queue.send('a');
    await queue.receive(1);
    const again = queue.receive(1);
    await queue.delete(messageId);
    await again;
    expect(await readdir(dir)).toEqual([]);
  });

  test('moves a message to the dead letter queue only once, even if a crash repeats the move', async () => {
    const [dir, asBefore, deadLetters] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
    const open = async (folder: string) => {
      const deadLetterQueue = await openQueue({ dir: deadLetters });
      const redrive = { deadLetterQueue, maxReceiveCount: 1 };
      return { deadLetterQueue, queue: await openQueue({ dir: folder, visibilityTimeoutMs: 0, redrive }) };
    };
    const { queue } = await open(dir);
    const { messageId, sentAt } = await queue.send('poison');
    await queue.receive(1);
    await cp(dir, asBefore, { recursive: true });
    expect(await queue.receive(1)).toEqual([]);

    const after = await open(asBefore);
    expect(await after.queue.receive(1)).toEqual([]);
    expect(after.queue.messages()).toEqual([]);
    expect(after.deadLetterQueue.messages()).toEqual([{ messageId, body: 'poison', sentAt, receiveCount: 0 }]);
    expect(after.deadLetterQueue.counts()).toMatchObject({ visible: 1 });
    await after.deadLetterQueue.delete(messageId);
    expect(await readdir(deadLetters)).toEqual([]);
  });

  test('ends a wait when a delay is over, when a message comes, and when it is stopped', async () => {
    const clock = new FakeClock();
    const queue = await openQueue(clock);
    const stopping = new AbortController();
    await queue.send('a', { delayMs: 20_000 });
    const delayed = queue.whenVisible(stopping.signal);
    clock.advance(20_000);
    await delayed;
    expect(await queue.receive(1)).toMatchObject([{ body: 'a' }]);

    const arrival = queue.whenVisible(stopping.signal);
    await queue.send('b');
    await arrival;
    expect(await queue.receive(1)).toMatchObject([{ body: 'b' }]);

    const stopped = queue.whenVisible(stopping.signal);
    stopping.abort();
    await stopped;
  });

  test('keeps its messages and their counts after a restart, in one complete file each', async () => {
    const dir = temporaryFolder();
    const before = await openQueue({ dir, visibilityTimeoutMs: 60_000 });
    await before.send('a');
    await before.receive(1);
    expect(await readdir(dir)).toEqual([expect.stringMatching(/^\d{15}-.*\.json$/)]);
    await writeFile(join(dir, 'a-write-that-a-crash-cut-short.json.1.tmp'), '{"mess');
    const after = await openQueue({ dir });
    expect(await after.receive(1)).toMatchObject([{ body: 'a', receiveCount: 2 }]);
    expect(await readdir(dir)).toHaveLength(1);
  });

  test('is opened as the template says, in any order of the template', async () => {
    const template = resolve({
      Resources: {
        Events: {
          Type: 'AWS::SQS::Queue',
          Properties: {
            DelaySeconds: 1,
            VisibilityTimeout: 0,
            RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Failures', 'Arn'] }, maxReceiveCount: 1 },
          },
        },
        Failures: { Type: 'AWS::SQS::Queue' },
      },
    });
    const queues = await openQueues(template, await temporaryDataFolder());
    const events = queues.get('Events');
    await events?.send('delayed');
    expect(events?.counts()).toEqual({ visible: 0, inFlight: 0, delayed: 1 });
    await events?.send('a', { delayMs: 0 });
    await events?.receive(1);
    await events?.receive(1);
    expect(queues.get('Failures')?.messages()).toMatchObject([{ body: 'a' }]);
  });
});
