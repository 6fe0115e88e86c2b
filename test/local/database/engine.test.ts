import { once } from 'node:events';
import { createServer } from 'node:net';
import { DescribeTableCommand, GetItemCommand, ListTablesCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, test, vi } from 'vitest';
import { createTables } from '../../../local/database/create-tables.ts';
import { dynamoDbClients } from '../../../local/database/dynamodb-clients.ts';
import { startEngine } from '../../../local/database/engine.ts';
import { deleteExpiredItems } from '../../../local/database/time-to-live.ts';
import { temporaryDataFolder, whenFinished } from '../../temporary.ts';
import { REGION, resolve, tableWithStream } from '../support.ts';

async function start(folder = temporaryDataFolder(), port = 0) {
  const reported: string[] = [];
  const opened = await folder;
  const engine = await startEngine({ folder: opened, port, report: (line) => reported.push(line) });
  whenFinished(() => engine.stop());
  const { tables, close } = dynamoDbClients(engine.endpoint, REGION);
  whenFinished(close);
  return { folder: opened, engine, reported, tables };
}

describe('the engine', () => {
  test('is restarted with the same port and data when it crashes', async () => {
    const { engine, tables, reported } = await start();
    await tableWithStream(tables, 'Kept');
    const before = engine.pid;
    process.kill(before, 'SIGKILL');
    await vi.waitFor(() => expect(engine.pid).not.toBe(before), { timeout: 10_000, interval: 5 });
    expect((await tables.send(new ListTablesCommand())).TableNames).toEqual(['Kept']);
    expect(reported).toEqual(['DynamoDB stopped by itself (signal SIGKILL); starting it again']);
  });

  test('leaves no process behind and keeps its data when it is stopped', async () => {
    const { engine, tables, folder } = await start();
    await tableWithStream(tables, 'Kept');
    await engine.stop();
    expect(() => process.kill(engine.pid, 0)).toThrow('ESRCH');
    const again = await start(Promise.resolve(folder));
    expect((await again.tables.send(new ListTablesCommand())).TableNames).toEqual(['Kept']);
  });

  test('names the port that it could not use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    whenFinished(() => other.close());
    const address = other.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await expect(start(temporaryDataFolder(), port)).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port} for DynamoDB: another program has the port`,
    );
  });
});

describe('the tables', () => {
  const string = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' });
  const byDay = {
    IndexName: 'byDay',
    KeySchema: [
      { AttributeName: 'day', KeyType: 'HASH' },
      { AttributeName: 'sentAt', KeyType: 'RANGE' },
    ],
    Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['subject', 'from'] },
  };
  const template = (properties: object = {}) =>
    resolve({
      Resources: {
        Key: { Type: 'AWS::KMS::Key' },
        Mail: {
          Type: 'AWS::DynamoDB::Table',
          Properties: {
            AttributeDefinitions: [string('id'), string('day'), string('sentAt')],
            BillingMode: 'PAY_PER_REQUEST',
            DeletionProtectionEnabled: true,
            GlobalSecondaryIndexes: [byDay],
            KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
            SSESpecification: { SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: { 'Fn::GetAtt': ['Key', 'Arn'] } },
            StreamSpecification: { StreamViewType: 'NEW_IMAGE' },
            TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
            ...properties,
          },
        },
      },
    });

  test('are created from the template, and left unchanged the next time', async () => {
    const { tables } = await start();
    const made = await createTables(template(), tables, '.local');
    expect(made).toEqual([
      {
        logicalId: 'Mail',
        name: 'Todoke-Mail-local',
        timeToLiveAttribute: 'expiresAt',
        keyAttributes: ['id'],
        streamArn: expect.stringContaining('/stream/'),
      },
    ]);
    expect(await createTables(template(), tables, '.local')).toEqual(made);
  });

  test('get new indexes of the template', async () => {
    const { tables } = await start();
    await createTables(template({ GlobalSecondaryIndexes: [{ ...byDay, IndexName: 'old' }] }), tables, '.local');
    await createTables(template(), tables, '.local');
    const { Table } = await tables.send(new DescribeTableCommand({ TableName: 'Todoke-Mail-local' }));
    expect(Table?.GlobalSecondaryIndexes?.map(({ IndexName }) => IndexName)).toEqual(['byDay']);
  });

  test('get a new stream of the template', async () => {
    const { tables } = await start();
    const [without] = await createTables(template({ StreamSpecification: undefined }), tables, '.local');
    expect(without?.streamArn).toBeUndefined();
    const [mail] = await createTables(template(), tables, '.local');
    expect(mail?.streamArn).toContain('/stream/');
  });

  test('with a changed key cause an error that says what to do', async () => {
    const { tables } = await start();
    const keyed = (name: string) =>
      template({
        AttributeDefinitions: [string(name)],
        GlobalSecondaryIndexes: [],
        KeySchema: [{ AttributeName: name, KeyType: 'HASH' }],
      });
    await createTables(keyed('id'), tables, '.local');
    const changed = keyed('day');
    await expect(createTables(changed, tables, '.local')).rejects.toThrow(
      'Cannot use the table Todoke-Mail-local that is in .local: its key is id, the template says day. Move that data away',
    );
  });

  test('lose expired items, and no others', async () => {
    const { tables } = await start();
    const [mail] = await createTables(template(), tables, '.local');
    if (mail === undefined) return expect.unreachable();
    const now = 1_800_000_000;
    const put = (id: string, expiresAt?: number) =>
      tables.send(
        new PutItemCommand({
          TableName: mail.name,
          Item: { id: { S: id }, ...(expiresAt && { expiresAt: { N: String(expiresAt) } }) },
        }),
      );
    await Promise.all([put('expired', now - 1), put('alive', now + 1), put('for ever'), put('ancient', 1)]);
    expect(await deleteExpiredItems(tables, mail, now)).toBe(1);
    const get = async (id: string) =>
      (await tables.send(new GetItemCommand({ TableName: mail.name, Key: { id: { S: id } } }))).Item?.['id']?.S;
    const left = await Promise.all(['expired', 'alive', 'for ever', 'ancient'].map(get));
    expect(left).toEqual([undefined, 'alive', 'for ever', 'ancient']);
  });
});
