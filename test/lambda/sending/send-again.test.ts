import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, test } from 'vitest';
import type { Row } from '../../../lambda/aws/dynamodb.ts';
import { mailTable, ticket } from '../../../lambda/sending/mail-table.ts';
import { sendAgain } from '../../../lambda/sending/send-again.ts';
import { newSending } from '../../../lambda/sending/sending.ts';
import { startEngine } from '../../../local/database/engine.ts';
import { temporaryDataFolder, whenFinished } from '../../temporary.ts';

const MAIL = 'Mail-under-test';
const NOW = Date.parse('2026-11-01T12:00:00.000Z');
const resentAt = new Date(NOW).toISOString();
const past = '2026-11-01T11:00:00.000Z';

let db: DynamoDBDocumentClient;
beforeAll(async () => {
  const engine = await startEngine({ folder: await temporaryDataFolder(), port: 0, report: () => undefined });
  whenFinished(() => engine.stop());
  const credentials = { accessKeyId: 'tests', secretAccessKey: 'tests' };
  const client = new DynamoDBClient({ endpoint: engine.endpoint, region: 'ap-northeast-1', credentials });
  whenFinished(() => client.destroy());
  await client.send(
    new CreateTableCommand({
      TableName: MAIL,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
  db = DynamoDBDocumentClient.from(client);
});

const put = (item: Row) => db.send(new PutCommand({ TableName: MAIL, Item: item }));
const stored = async (id: string) => (await db.send(new GetCommand({ TableName: MAIL, Key: { id } }))).Item;

test.each<[string, Row]>([
  ['failed', { status: 'failed', error: 'E' }],
  ['was never finished', { status: 'sending', sendingUntil: past, attempts: 3 }],
  ['has no status', {}],
  ['has an empty status', { status: '' }],
  ['has a status of NULL', { status: null }],
])('an item that %s loses its status and is changed, so that the stream delivers it', async (name, change) => {
  const found: Row = { id: name, subject: 'S', ...change };
  const { status: _, ...item } = found;
  await put(found);
  expect(await sendAgain(db, MAIL, found, NOW)).toBe(true);
  expect(await stored(name)).toEqual({ ...item, resentAt });
});

test('a deferred item whose next attempt never came loses its status and its next attempt', async () => {
  const found = { id: 'deferred', status: 'sending', nextAttemptAt: past, attempts: 1 };
  await put(found);
  expect(await sendAgain(db, MAIL, found, NOW)).toBe(true);
  expect(await stored(found.id)).toEqual({ id: found.id, attempts: 1, resentAt });
});

test.each([
  ['tried again', { sendingUntil: '2026-11-01T12:01:00.000Z' }],
  ['deferred once more', { nextAttemptAt: '2026-11-01T12:10:00.000Z' }],
])('an item that was deferred, and was meanwhile %s, is left alone', async (name, change) => {
  const found = { id: name, status: 'sending', nextAttemptAt: past, attempts: 1 };
  await put({ ...found, ...change });
  expect(await sendAgain(db, MAIL, found, NOW)).toBe(false);
  expect(await stored(name)).toEqual({ ...found, ...change });
});

test('an item that was claimed since it was found is left alone, because it would be sent twice', async () => {
  const found = { id: 'taken up', status: 'sending', sendingUntil: past, attempts: 1 };
  await put(found);
  const record = { eventId: 'event', writtenAtMs: NOW, row: found };
  const claim = await mailTable(db, MAIL).claim(newSending(record), NOW, ticket(NOW + 60_000));
  expect(claim).toMatchObject({ kind: 'claimed' });
  expect(await sendAgain(db, MAIL, found, NOW)).toBe(false);
  expect(await stored(found.id)).toMatchObject({ status: 'sending', attempts: 2 });
});

test.each<[string, Row]>([
  ['claimed', { status: 'sending', sendingUntil: '2026-11-01T12:01:00.000Z' }],
  ['sent', { status: 'sent' }],
])('an item without a status that was meanwhile %s is left alone', async (name, now) => {
  await put({ id: name, ...now });
  for (const status of [undefined, '', null]) expect(await sendAgain(db, MAIL, { id: name, status }, NOW)).toBe(false);
  expect(await stored(name)).toEqual({ id: name, ...now });
});

test('an item that was deleted since it was found is not written again', async () => {
  expect(await sendAgain(db, MAIL, { id: 'deleted' }, NOW)).toBe(false);
  expect(await sendAgain(db, MAIL, { id: 'deleted', status: 'failed' }, NOW)).toBe(false);
  expect(await stored('deleted')).toBeUndefined();
});
