/** Storage that can fail: the engine with the tables SentLog and Bounce, and rigs that reach it through proxies. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import { DescribeStreamCommand, GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-dynamodb-streams';
import { paginateScan } from '@aws-sdk/lib-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { CLIENT_SETTINGS } from '../../lambda/aws/clients.ts';
import { documentClient, type Row } from '../../lambda/aws/dynamodb.ts';
import { readChange } from '../../lambda/aws/stream-record.ts';
import type { BounceRecord } from '../../lambda/publishing/publish-failures.ts';
import type { EventStore } from '../../lambda/recording/event-store.ts';
import { type Cleanup, startOrUndo } from '../../local/cleanup.ts';
import { openDataFolder } from '../../local/data-folder.ts';
import { createTables } from '../../local/database/create-tables.ts';
import { dynamoDbClients } from '../../local/database/dynamodb-clients.ts';
import { startEngine } from '../../local/database/engine.ts';
import { resolveTemplate } from '../../local/stack/physical-resources.ts';
import type { ResolvedTemplate, Template } from '../../local/stack/template.ts';
import { startTestQueue, type TestQueue } from './event-queue.ts';
import { type FaultProxy, type FaultProxyOptions, startFaultProxy } from './fault-proxy.ts';

export const REGION = 'ap-northeast-1';
const STACK = {
  stackName: 'Todoke',
  stackUuid: '11111111-2222-4333-8444-555555555555',
  region: REGION,
  gatewayOrigin: 'http://127.0.0.1:8787',
  awsApiOrigin: 'http://127.0.0.1:9999',
};

export interface TestStorage {
  /** Without faults. */
  readonly store: EventStore;
  /** The stack, with the names of these tables. */
  readonly template: ResolvedTemplate;
  /** A separate way to the tables. Faults on it do not affect the other rigs. */
  rig(options?: RigOptions): Promise<Rig>;
  /** Every row of both tables. */
  rows(): Promise<StoredRow[]>;
  /** Every change of the Bounce table, from its stream: in order for each row. */
  bounceChanges(): Promise<BounceRecord[]>;
  /** Replaces both tables by empty ones. With fewer rows, the engine and `rows()` are faster. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

export interface StoredRow {
  readonly table: 'SentLog' | 'Bounce';
  readonly row: Row;
}

export interface Rig {
  readonly proxy: FaultProxy;
  /** This rig's own event queue. */
  readonly queue: TestQueue;
  /** The functions' client settings, but with only three attempts per request. */
  readonly patient: EventStore;
  /** One attempt, so that the code meets every fault. */
  readonly impatient: EventStore;
  /** A store for one caller, which the proxy knows by name. It makes one attempt and has no time limit. */
  storeOf(caller: string): EventStore;
}

/** Longer than any request takes on a busy machine. A request that was given up must not take effect later. */
const REQUEST_TIMEOUT_MS = 2_000;

export interface RigOptions extends FaultProxyOptions {
  /** When a request is given up. */
  readonly requestTimeoutMs?: number;
}

/** @param stack the template that defines the tables */
export const startStorage = (stack: Template): Promise<TestStorage> =>
  startOrUndo((cleanup) => start(stack, cleanup), console.error);

async function start(stack: Template, cleanup: Cleanup): Promise<TestStorage> {
  const dir = await mkdtemp(join(tmpdir(), 'todoke-faults-'));
  cleanup.defer('remove the tables', () => rm(dir, { recursive: true, force: true }));
  const folder = await openDataFolder(dir);
  const engine = await startEngine({ folder, port: 0, report: console.error });
  cleanup.defer('stop DynamoDB', engine.stop);
  const { tables, streams, close } = dynamoDbClients(engine.endpoint, REGION);
  cleanup.defer('close the connections to DynamoDB', close);
  const template = resolveTemplate(stack, STACK);
  await createTables(template, tables, dir);
  const tableNames = { sentLogTable: template.ref('SentLog'), bounceTable: template.ref('Bounce') };
  const store = storeAt(engine.endpoint, {});
  let queues = 0;

  return {
    store,
    template,
    async rig({ requestTimeoutMs = REQUEST_TIMEOUT_MS, ...options } = {}) {
      const proxy = await startFaultProxy(engine.endpoint, options);
      cleanup.defer('close a proxy', proxy.close);
      const requestHandler = {
        connectionTimeout: requestTimeoutMs,
        requestTimeout: requestTimeoutMs,
        throwOnRequestTimeout: true,
      };
      return {
        proxy,
        queue: await startTestQueue(join(dir, `queue-${++queues}`), requestTimeoutMs, cleanup),
        patient: storeAt(proxy.endpoint, { maxAttempts: 3, requestHandler }),
        impatient: storeAt(proxy.endpoint, { maxAttempts: 1, requestHandler }),
        storeOf: (caller) => storeAt(proxy.endpoint, { maxAttempts: 1 }, caller),
      };
    },
    async rows() {
      const found: StoredRow[] = [];
      for (const [table, name] of [
        ['SentLog', tableNames.sentLogTable],
        ['Bounce', tableNames.bounceTable],
      ] as const) {
        const scan = paginateScan({ client: store.client }, { TableName: name, ConsistentRead: true });
        for await (const page of scan) found.push(...(page.Items ?? []).map((row) => ({ table, row })));
      }
      return found;
    },
    async bounceChanges() {
      const { Table } = await tables.send(new DescribeTableCommand({ TableName: tableNames.bounceTable }));
      const StreamArn = Table?.LatestStreamArn;
      const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
      const changes: BounceRecord[] = [];
      for (const { ShardId } of StreamDescription?.Shards ?? []) {
        const start = new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' });
        let { ShardIterator } = await streams.send(start);
        while (ShardIterator !== undefined) {
          const { Records = [], NextShardIterator } = await streams.send(new GetRecordsCommand({ ShardIterator }));
          // The types of the event and of the SDK differ only in which fields are optional.
          changes.push(...Records.map((record) => readChange(record as DynamoDBRecord)));
          ShardIterator = Records.length > 0 ? NextShardIterator : undefined;
        }
      }
      return changes;
    },
    async empty() {
      for (const TableName of Object.values(tableNames)) {
        await tables.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }));
        await tables.send(new DeleteTableCommand({ TableName }));
      }
      await createTables(template, tables, dir);
    },
    close: () => cleanup.run(console.error),
  };

  function storeAt(endpoint: string, settings: DynamoDBClientConfig, accessKeyId = 'test'): EventStore {
    const client = new DynamoDBClient({
      endpoint,
      region: REGION,
      credentials: { accessKeyId, secretAccessKey: 'test' },
      logger: CLIENT_SETTINGS.logger,
      ...settings,
    });
    return { client: documentClient(client), ...tableNames };
  }
}
