import { readFile } from 'node:fs/promises';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { dynamoDbClients } from '../../../local/database/dynamodb-clients.ts';
import { mappingProperties } from '../../../local/event-sources/mapping-settings.ts';
import { runStreamMapping } from '../../../local/event-sources/stream-mapping.ts';
import { FunctionError, type Invocable } from '../../../local/functions/local-function.ts';
import { startFaultProxy } from '../../faults/fault-proxy.ts';
import { whenFinished } from '../../temporary.ts';
import { engineWithStream, REGION, tableWithStream } from '../support.ts';

const STREAM_ARN = 'arn:aws:dynamodb:ap-northeast-1:000000000000:table/Todoke-Mail-local/stream/local';
const FUNCTION_ARN = 'arn:aws:lambda:ap-northeast-1:000000000000:function:Todoke-SendMail-local';
const eventSchema = z.object({
  Records: z.array(
    z.looseObject({
      dynamodb: z.looseObject({ Keys: z.object({ id: z.object({ S: z.string() }) }), SequenceNumber: z.string() }),
    }),
  ),
});

let engine: Awaited<ReturnType<typeof engineWithStream>>;
beforeAll(async () => {
  engine = await engineWithStream();
});

interface Batch {
  readonly ids: readonly string[];
  readonly sequenceNumbers: readonly string[];
  readonly event: z.infer<typeof eventSchema>;
}

/** A mapping on its own table, whose function is given as code. */
async function mappingOn(name: string, properties: object, handle: (batch: Batch) => unknown) {
  const table = await tableWithStream(engine.tables, name);
  const batches: string[][] = [];
  const failures: unknown[] = [];
  const target: Invocable = {
    logicalId: 'SendMail',
    arn: FUNCTION_ARN,
    async invoke(event) {
      const parsed = eventSchema.parse(event);
      const ids = parsed.Records.map(({ dynamodb }) => dynamodb.Keys.id.S);
      batches.push(ids);
      const sequenceNumbers = parsed.Records.map(({ dynamodb }) => dynamodb.SequenceNumber);
      return { requestId: 'request', payload: await handle({ ids, sequenceNumbers, event: parsed }) };
    },
  };
  return {
    batches,
    failures,
    put: (id: string, attributes: Record<string, { S: string } | { B: Uint8Array }> = {}) =>
      engine.tables.send(new PutItemCommand({ TableName: name, Item: { id: { S: id }, ...attributes } })),
    /** @returns a function that stops it */
    run(client = engine.streams) {
      const stopping = new AbortController();
      const running = runStreamMapping({
        client,
        engineStreamArn: table.streamArn,
        properties: mappingProperties.parse({
          EventSourceArn: STREAM_ARN,
          FunctionName: FUNCTION_ARN,
          StartingPosition: 'TRIM_HORIZON',
          ...properties,
        }),
        target,
        region: REGION,
        checkpointFile: engine.folder.path('checkpoints', `${name}.json`),
        onFailure: async (document) => failures.push(JSON.parse(document)),
        timing: { pollIntervalMs: 10, retryDelayMs: () => 1 },
        signal: stopping.signal,
        report: () => undefined,
      });
      const stop = async () => {
        stopping.abort();
        await running;
      };
      whenFinished(stop);
      return stop;
    },
  };
}

const fails = (): never => {
  throw new FunctionError({ errorType: 'Error', errorMessage: 'no' }, 'request');
};
const reportFailures = { FunctionResponseTypes: ['ReportBatchItemFailures'] };
const until = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 });

describe('a stream mapping', () => {
  test("passes records in Lambda's form", async () => {
    const seen: unknown[] = [];
    const mapping = await mappingOn('shape', {}, ({ event }) => seen.push(event.Records[0]));
    await mapping.put('a', { data: { B: Buffer.from('hello') } });
    mapping.run();
    await until(() => expect(seen).toHaveLength(1));
    expect(seen[0]).toEqual({
      eventID: expect.any(String),
      eventName: 'INSERT',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: REGION,
      eventSourceARN: STREAM_ARN,
      dynamodb: {
        ApproximateCreationDateTime: expect.closeTo(Date.now() / 1000, -2),
        Keys: { id: { S: 'a' } },
        NewImage: { id: { S: 'a' }, data: { B: 'aGVsbG8=' } },
        SequenceNumber: expect.stringMatching(/^\d+$/),
        SizeBytes: expect.any(Number),
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
    });
  });

  test('delivers in order, in batches of the given size', async () => {
    const mapping = await mappingOn('batches', { BatchSize: 2 }, () => null);
    for (const id of ['a', 'b', 'c', 'd', 'e']) await mapping.put(id);
    mapping.run();
    await until(() => expect(mapping.batches).toEqual([['a', 'b'], ['c', 'd'], ['e']]));
  });

  test('retries from the lowest failed record on', async () => {
    const failed = new Set(['b']);
    const mapping = await mappingOn('partial', reportFailures, ({ ids, sequenceNumbers }) => ({
      batchItemFailures: ids.flatMap((id, index) =>
        failed.delete(id) ? [{ itemIdentifier: sequenceNumbers[index] }] : [],
      ),
    }));
    for (const id of ['a', 'b', 'c']) await mapping.put(id);
    mapping.run();
    await until(() =>
      expect(mapping.batches).toEqual([
        ['a', 'b', 'c'],
        ['b', 'c'],
      ]),
    );
  });

  test.each([
    ['an empty list', { batchItemFailures: [] }, 1],
    ['null', null, 1],
    ['no list', {}, 1],
    ['an id that is null', { batchItemFailures: [{ itemIdentifier: null }] }, 2],
    ['an id that is not in the batch', { batchItemFailures: [{ itemIdentifier: '999999' }] }, 2],
  ])('treats %s as Lambda does', async (what, answer, expectedTries) => {
    const name = `answer-${what.replaceAll(' ', '-')}`;
    let answers = [answer];
    const mapping = await mappingOn(name, reportFailures, ({ ids }) => (ids.includes('end') ? null : answers.pop()));
    await mapping.put('a');
    mapping.run();
    await until(() => expect(mapping.batches).toHaveLength(expectedTries));
    answers = [];
    await mapping.put('end');
    await until(() => expect(mapping.batches.at(-1)).toEqual(['end']));
    expect(mapping.batches).toHaveLength(expectedTries + 1);
  });

  test('splits a failing batch in half until the bad record is alone, without using up retries', async () => {
    const properties = { BisectBatchOnFunctionError: true, MaximumRetryAttempts: 0 };
    const mapping = await mappingOn('bisect', properties, ({ ids }) => (ids.includes('c') ? fails() : null));
    for (const id of ['a', 'b', 'c', 'd']) await mapping.put(id);
    mapping.run();
    await until(() => expect(mapping.batches).toEqual([['a', 'b', 'c', 'd'], ['a', 'b'], ['c', 'd'], ['c'], ['d']]));
    expect(mapping.failures).toEqual([
      expect.objectContaining({ DDBStreamBatchInfo: expect.objectContaining({ batchSize: 1 }) }),
    ]);
  });

  test('reports a record to the failure queue after the last retry, and continues', async () => {
    const mapping = await mappingOn('exhausted', { MaximumRetryAttempts: 2, BatchSize: 2 }, ({ ids }) =>
      ids.includes('bad') ? fails() : null,
    );
    for (const id of ['bad', 'b', 'c']) await mapping.put(id);
    mapping.run();
    await until(() => expect(mapping.batches).toEqual([['bad', 'b'], ['bad', 'b'], ['bad', 'b'], ['c']]));
    expect(mapping.failures).toEqual([
      {
        requestContext: {
          requestId: 'request',
          functionArn: FUNCTION_ARN,
          condition: 'RetryAttemptsExhausted',
          approximateInvokeCount: 3,
        },
        responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
        version: '1.0',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        DDBStreamBatchInfo: {
          shardId: expect.stringMatching(/^shardId-/),
          startSequenceNumber: '1',
          endSequenceNumber: '2',
          approximateArrivalOfFirstRecord: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          approximateArrivalOfLastRecord: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          batchSize: 2,
          streamArn: STREAM_ARN,
        },
      },
    ]);
  });

  test('gives up records that are too old without an attempt, and continues', async () => {
    const mapping = await mappingOn('expired', { MaximumRecordAgeInSeconds: 3_600 }, () => null);
    await mapping.put('old');
    const { now } = Date;
    const later = vi.spyOn(Date, 'now').mockImplementation(() => now() + 2 * 3_600_000);
    whenFinished(() => later.mockRestore());
    mapping.run();
    await until(() => expect(mapping.failures).toHaveLength(1));
    later.mockRestore();
    await mapping.put('young');
    await until(() => expect(mapping.batches).toEqual([['young']]));
    expect(mapping.failures).toEqual([
      expect.objectContaining({
        requestContext: expect.objectContaining({ condition: 'RecordAgeExceeded', approximateInvokeCount: 0 }),
        DDBStreamBatchInfo: expect.objectContaining({ batchSize: 1 }),
      }),
    ]);
    expect(mapping.failures[0]).not.toHaveProperty('responseContext');
  });

  test('skips records that the filter excludes, and does not read them again after a restart', async () => {
    const filter = (id: string) => ({
      FilterCriteria: { Filters: [{ Pattern: JSON.stringify({ dynamodb: { Keys: { id: { S: [id] } } } }) }] },
    });
    const mapping = await mappingOn('filter', filter('wanted'), () => null);
    for (const id of ['other', 'wanted', 'another']) await mapping.put(id);
    const stop = mapping.run();
    await until(() => expect(mapping.batches).toEqual([['wanted']]));
    await mapping.put('last');
    const file = engine.folder.path('checkpoints', 'filter.json');
    await until(async () => expect(await readFile(file, 'utf8')).toContain('"after": "4"'));
    await stop();
    expect(mapping.batches).toEqual([['wanted']]);
  });

  test('continues after a restart where it stopped', async () => {
    const mapping = await mappingOn('restart', {}, () => null);
    await mapping.put('before');
    const stop = mapping.run();
    await until(() => expect(mapping.batches).toEqual([['before']]));
    await stop();
    await mapping.put('between');
    mapping.run();
    await until(() => expect(mapping.batches).toEqual([['before'], ['between']]));
  });

  test('can be stopped while the stream does not answer', async () => {
    const proxy = await startFaultProxy(engine.engine.endpoint);
    whenFinished(proxy.close);
    const { streams, close } = dynamoDbClients(proxy.endpoint, REGION);
    whenFinished(close);
    proxy.plan = ({ action }) => (action === 'GetRecords' ? 'hang' : undefined);
    const mapping = await mappingOn('silent', {}, () => null);
    const stop = mapping.run(streams);
    await until(() => expect(proxy.calls.map(({ action }) => action)).toContain('GetRecords'));
    await stop();
  });

  test('repeats the batch that was not finished when it stopped', async () => {
    let failing = true;
    const mapping = await mappingOn('unfinished', {}, () => (failing ? fails() : null));
    await mapping.put('a');
    const stop = mapping.run();
    await until(() => expect(mapping.batches.length).toBeGreaterThan(0));
    await stop();
    failing = false;
    const tries = mapping.batches.length;
    mapping.run();
    await until(() => expect(mapping.batches).toHaveLength(tries + 1));
  });
});
