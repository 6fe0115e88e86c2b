import { createServer } from 'node:http';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { eventBus } from '../../../lambda/aws/event-bus.ts';
import { type BounceRecord, publishFailures } from '../../../lambda/publishing/publish-failures.ts';
import { closeServer, listen, originOf } from '../../../local/ports.ts';
import { whenFinished } from '../../temporary.ts';

const requestSchema = z.object({
  Entries: z.array(z.object({ Source: z.string(), DetailType: z.string(), Detail: z.string() })),
});

/** What the bus received: a list of event ids for each request. */
let requests: string[][] = [];
let waits: number[] = [];
let rejects: (eventId: string, request: number) => boolean;
let fails: (request: number) => boolean;
beforeEach(() => {
  vi.stubEnv('STACK_NAME', 'Todoke');
  [requests, waits, rejects, fails] = [[], [], () => false, () => false];
});
afterEach(() => vi.unstubAllEnvs());

/** Speaks as EventBridge does, and accepts what the test lets it accept. */
const server = createServer(async (message, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  const { Entries } = requestSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
  const ids = Entries.map(({ Detail }) => String(JSON.parse(Detail).eventId));
  requests.push(ids);
  const number = requests.length;
  const answers = ids.map((id) =>
    rejects(id, number) ? { ErrorCode: 'ThrottlingException', ErrorMessage: 'Slow down' } : { EventId: `id of ${id}` },
  );
  response.writeHead(fails(number) ? 500 : 200, { 'Content-Type': 'application/x-amz-json-1.1' });
  const failed = answers.filter(({ ErrorCode }) => ErrorCode).length;
  response.end(JSON.stringify({ FailedEntryCount: failed, Entries: answers }));
});
const client = new EventBridgeClient({
  endpoint: originOf(await listen(server, 0, 'the bus')),
  region: 'ap-northeast-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  maxAttempts: 1,
});
whenFinished(async () => {
  client.destroy();
  await closeServer(server);
});

const bus = eventBus(client, async (ms) => waits.push(ms));

const row = (n: number, change: object = {}) => ({
  fullMessageId: `mail-${n}`,
  eventId: `e${n}`,
  messageId: `mail-${n}`,
  provider: 'sendgrid',
  outcome: 'bounced',
  toEmail: 'a@example.com',
  matched: true,
  ...change,
});
const inserts = (count: number, change: object = {}): BounceRecord[] =>
  Array.from({ length: count }, (_, n) => ({ sequenceNumber: `s${n}`, oldRow: undefined, row: row(n, change) }));

/** Tables that hold log rows for these mails. Also returns each command that was sent. */
function storeWith(logged: readonly string[], fail?: Error) {
  const send = vi.fn(async (command: { input: Record<string, unknown> }) => {
    if (fail) throw fail;
    const { RequestItems } = command.input as { RequestItems?: Record<string, { Keys: { messageId: string }[] }> };
    const keys = RequestItems?.['SentLog']?.Keys ?? [];
    return { Responses: { SentLog: keys.filter(({ messageId }) => logged.includes(messageId)) } };
  });
  const store = {
    client: { send } as unknown as DynamoDBDocumentClient,
    sentLogTable: 'SentLog',
    bounceTable: 'Bounce',
  };
  return { store, commands: () => send.mock.calls.map(([command]) => command.input) };
}
const publish = (records: readonly BounceRecord[], { store } = storeWith([])) =>
  publishFailures(records, { store, bus, stackName: 'Todoke' });
const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `e${from + n}`);
const again = (sequenceNumber: string) => ({ batchItemFailures: [{ itemIdentifier: sequenceNumber }] });
const NONE = { batchItemFailures: [] };

describe('publishing', () => {
  test('needs one request for ten failures, in order, and none to a table if all are matched', async () => {
    const tables = storeWith([]);
    await expect(publish(inserts(25), tables)).resolves.toEqual(NONE);
    expect(requests).toEqual([ids(0, 10), ids(10, 20), ids(20, 25)]);
    expect(tables.commands()).toEqual([]);
  });

  test('retries only the entry that failed', async () => {
    rejects = (id, request) => id === 'e3' && request === 1;
    await expect(publish(inserts(10))).resolves.toEqual(NONE);
    expect(requests).toEqual([ids(0, 10), ['e3']]);
    expect(waits).toEqual([200]);
  });

  test('returns an entry that keeps failing, and makes none of the later requests', async () => {
    rejects = (id) => id === 'e13' || id === 'e17';
    await expect(publish(inserts(25))).resolves.toEqual(again('s13'));
    expect(requests).toEqual([ids(0, 10), ids(10, 20), ['e13', 'e17'], ['e13', 'e17']]);
    expect(waits).toEqual([200, 400]);
  });

  test('returns all entries of a request that fails as a whole, and earlier requests stay published', async () => {
    fails = (request) => request === 2;
    await expect(publish(inserts(12))).resolves.toEqual(again('s10'));
    expect(requests).toEqual([ids(0, 10), ids(10, 12)]);
  });

  test('does not happen for a repeated failure, or if it is switched off', async () => {
    const [first = expect.unreachable()] = inserts(1);
    await expect(publish([{ ...first, oldRow: row(0) }])).resolves.toEqual(NONE);
    const { store } = storeWith([]);
    await expect(publishFailures(inserts(3), { store, bus: undefined, stackName: 'Todoke' })).resolves.toEqual(NONE);
    expect(requests).toEqual([]);
  });
});

describe('joining rows again', () => {
  const unmatched = inserts(3, { matched: false });

  test('looks up the mails of all unmatched rows in one request, and joins the logged ones', async () => {
    const tables = storeWith(['mail-1']);
    await expect(publish(unmatched, tables)).resolves.toEqual(NONE);
    const [look, ...joins] = tables.commands();
    expect(look).toMatchObject({ RequestItems: { SentLog: { ConsistentRead: true, Keys: { length: 3 } } } });
    expect(joins).toMatchObject([
      { Key: { fullMessageId: 'mail-1', eventId: 'e1' }, ConditionExpression: '#matched = :false' },
    ]);
    expect(JSON.stringify(joins)).not.toContain('rejoined');
    expect(requests).toEqual([ids(0, 3)]);
  });

  test('marks a row that was matched before, so that it is not published again', async () => {
    const tables = storeWith(['mail-0']);
    const [first = expect.unreachable()] = unmatched;
    await expect(publish([{ ...first, oldRow: row(0) }], tables)).resolves.toEqual(NONE);
    expect(tables.commands()[1]).toMatchObject({ ExpressionAttributeValues: { ':set_rejoined': true } });
    expect(requests).toEqual([]);
  });

  test('uses only the last of several records of a row', async () => {
    const tables = storeWith(['mail-0']);
    const [first = expect.unreachable()] = unmatched;
    const joined = { sequenceNumber: 's1', oldRow: first.row, row: row(0) };
    await expect(publish([first, joined], tables)).resolves.toEqual(NONE);
    expect(tables.commands()).toEqual([]);
    expect(requests).toEqual([['e0', 'e0']]);
  });

  test('leaves blocklisted and unrecognized rows alone', async () => {
    const tables = storeWith(['mail-0']);
    for (const outcome of ['blocklisted', 'unrecognized', 'suppressed']) {
      await publish(inserts(1, { matched: false, outcome }), tables);
    }
    expect(tables.commands()).toEqual([]);
  });

  test('returns the record if it fails, and publishes nothing after it', async () => {
    const [first = expect.unreachable(), second = expect.unreachable(), third = expect.unreachable()] = inserts(3);
    const records = [first, { ...second, row: row(1, { matched: false }) }, third];
    await expect(publish(records, storeWith([], new Error('The table is away')))).resolves.toEqual(again('s1'));
    expect(requests).toEqual([['e0']]);
  });
});
