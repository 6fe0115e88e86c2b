import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { expect, test, vi } from 'vitest';
import * as z from 'zod';
import { dynamoDbClients } from '../../../local/database/dynamodb-clients.ts';
import { Checkpoints } from '../../../local/event-sources/checkpoints.ts';
import { mappingProperties } from '../../../local/event-sources/mapping-settings.ts';
import { runStreamMapping } from '../../../local/event-sources/stream-mapping.ts';
import { followStream } from '../../../local/event-sources/stream-reader.ts';
import { listen, originOf } from '../../../local/ports.ts';
import { startFaultProxy } from '../../faults/fault-proxy.ts';
import { temporaryDataFolder, whenFinished } from '../../temporary.ts';
import { engineWithStream, REGION } from '../support.ts';

const FUNCTION_ARN = 'arn:aws:lambda:ap-northeast-1:000000000000:function:Todoke-SendMail-local';
const STREAM_ARN = 'arn:aws:dynamodb:ap-northeast-1:000000000000:table/Todoke-Mail-local/stream/local';

type Answers = Record<string, (input: Record<string, unknown>) => [status: number, body: object]>;

/** A client of a server that gives these answers, by action. */
async function clientOf(answers: Answers) {
  const server = createServer(async (request, response) => {
    const action = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const input = z.record(z.string(), z.unknown()).parse(await json(request));
    const [status, body] = answers[action]?.(input) ?? [400, { __type: 'UnknownOperationException' }];
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
  });
  const clients = dynamoDbClients(originOf(await listen(server, 0, 'the test')), REGION);
  whenFinished(() => {
    clients.close();
    server.close();
  });
  return clients.streams;
}

/** The part of DynamoDB Local that a test needs: a stream with one open shard, which answers as version 3.3 does. */
async function standIn() {
  const images: object[] = [];
  /** How many iterators were handed out. Those from before the first record are refused after it is written. */
  let given = 0;
  let givenBeforeFirst = Number.POSITIVE_INFINITY;
  let refusals = 0;
  const client = await clientOf({
    DescribeStream: () => [200, { StreamDescription: { Shards: [{ ShardId: 'shard-1' }] } }],
    GetShardIterator: () => [200, { ShardIterator: `${++given} 0` }],
    GetRecords({ ShardIterator }) {
      const [iterator = 0, position = 0] = String(ShardIterator).split(' ').map(Number);
      if (iterator <= givenBeforeFirst && images.length > 0) {
        refusals++;
        const message = 'The operation attempted to read past the oldest stream record in a shard.';
        return [400, { __type: 'com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException', message }];
      }
      const records = images.slice(position).map((NewImage, index) => ({
        eventID: String(position + index),
        eventName: 'INSERT',
        dynamodb: {
          ApproximateCreationDateTime: 1_790_000_000,
          Keys: { id: { S: 'a' } },
          NewImage,
          SequenceNumber: String(position + index + 1).padStart(21, '0'),
        },
      }));
      return [200, { Records: records, NextShardIterator: `${iterator} ${images.length}` }];
    },
  });
  return {
    client,
    refusals: () => refusals,
    given: () => given,
    put(image: object) {
      if (images.length === 0) givenBeforeFirst = given;
      images.push(image);
    },
  };
}

/** A mapping on this stream, with the records that its function received. */
async function mappingOn(client: Awaited<ReturnType<typeof standIn>>['client']) {
  const folder = await temporaryDataFolder();
  const got: unknown[] = [];
  const reported: string[] = [];
  const stopping = new AbortController();
  const running = runStreamMapping({
    client,
    engineStreamArn: 'arn:aws:dynamodb:ddblocal:000000000000:table/Todoke-Mail-local/stream/2026-11-27T00:00:00.000',
    properties: mappingProperties.parse({
      EventSourceArn: STREAM_ARN,
      FunctionName: FUNCTION_ARN,
      StartingPosition: 'TRIM_HORIZON',
    }),
    target: {
      logicalId: 'SendMail',
      arn: FUNCTION_ARN,
      async invoke(event) {
        const image = z.object({ dynamodb: z.object({ NewImage: z.unknown() }) });
        const { Records } = z.object({ Records: z.array(image) }).parse(event);
        got.push(...Records.map(({ dynamodb }) => dynamodb.NewImage));
        return { requestId: 'request', payload: null };
      },
    },
    region: REGION,
    checkpointFile: folder.path('checkpoints', 'mapping.json'),
    timing: { pollIntervalMs: 5, retryDelayMs: () => 1 },
    signal: stopping.signal,
    report: (line) => reported.push(line),
  });
  whenFinished(async () => {
    stopping.abort();
    await running;
  });
  return { got, reported };
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 });

test('when a shard ends, its child is read at once, although another shard is open', async () => {
  const client = await clientOf({
    DescribeStream: () => [
      200,
      {
        StreamDescription: {
          Shards: [{ ShardId: 'parent' }, { ShardId: 'child', ParentShardId: 'parent' }, { ShardId: 'other' }],
        },
      },
    ],
    GetShardIterator: ({ ShardId }) => [200, { ShardIterator: ShardId }],
    GetRecords: ({ ShardIterator }) => [200, ShardIterator === 'parent' ? {} : { NextShardIterator: ShardIterator }],
  });
  const read = new Set<string>();
  const stopping = new AbortController();
  const running = followStream({
    client,
    streamArn: STREAM_ARN,
    checkpoints: await Checkpoints.load((await temporaryDataFolder()).path('checkpoints.json'), STREAM_ARN),
    pollIntervalMs: 5,
    shardPauseMs: 3_600_000,
    signal: stopping.signal,
    consumer: (shardId) => async () => void read.add(shardId),
    report: (line) => expect.unreachable(line),
  });
  whenFinished(async () => {
    stopping.abort();
    await running;
  });
  await until(() => expect(read).toEqual(new Set(['parent', 'child', 'other'])));
});

test('the first record of a stream is delivered, and the refused read before it is not reported', async () => {
  const stream = await standIn();
  const { got, reported } = await mappingOn(stream.client);
  await until(() => expect(stream.given()).toBe(1));
  stream.put({ id: { S: 'a' } });
  await until(() => expect(got).toHaveLength(1));
  stream.put({ id: { S: 'b' } });
  await until(() => expect(got).toEqual([{ id: { S: 'a' } }, { id: { S: 'b' } }]));
  expect({ refusals: stream.refusals(), reported }).toEqual({ refusals: 1, reported: [] });
});

test('a stream that stays trimmed is reported', async () => {
  const stream = await standIn();
  stream.put({ id: { S: 'a' } });
  stream.client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName !== 'GetRecordsCommand') return next(args);
        throw Object.assign(new Error('trimmed'), { name: 'TrimmedDataAccessException' });
      },
    { step: 'initialize' },
  );
  const { reported } = await mappingOn(stream.client);
  await until(() => expect(reported[0]).toBe('Cannot read shard-1: trimmed; going on from the last checkpoint'));
});

test("an image with an untyped empty map and numbers as written is delivered in DynamoDB's form", async () => {
  const stream = await standIn();
  const { got } = await mappingOn(stream.client);
  stream.put({
    id: { S: 'a' },
    empty: {},
    typed: { M: {} },
    list: { L: [] },
    nested: { M: { inner: {}, list: { L: [{}, { M: { deep: {} } }, { N: '1.50' }] }, ten: { N: '1E1' } } },
    numbers: { NS: ['-0.0', '007', '+1.0'] },
    nothing: { NULL: true },
    no: { BOOL: false },
    text: { S: '' },
  });
  await until(() =>
    expect(got).toEqual([
      {
        id: { S: 'a' },
        empty: { M: {} },
        typed: { M: {} },
        list: { L: [] },
        nested: {
          M: { inner: { M: {} }, list: { L: [{ M: {} }, { M: { deep: { M: {} } } }, { N: '1.5' }] }, ten: { N: '10' } },
        },
        numbers: { NS: ['0', '7', '1'] },
        nothing: { NULL: true },
        no: { BOOL: false },
        text: { S: '' },
      },
    ]),
  );
});

test('the tests’ storage refuses access key ids with characters other than letters and digits, as DynamoDB Local does', async () => {
  const { engine } = await engineWithStream();
  const proxy = await startFaultProxy(engine.endpoint);
  whenFinished(proxy.close);
  const listAs = async (keyId?: string) => {
    const { tables, close } = dynamoDbClients(proxy.endpoint, REGION, keyId);
    await tables.send(new ListTablesCommand()).finally(close);
  };
  await listAs();
  await listAs('SendMail1');
  await expect(listAs('local-mode')).rejects.toMatchObject({ name: 'UnrecognizedClientException' });
});
