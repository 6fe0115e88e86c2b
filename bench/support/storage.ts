/** The tables that are measured with. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchWriteCommand, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { Cleanup } from '../../local/cleanup.ts';
import { openDataFolder } from '../../local/data-folder.ts';
import { startEngine } from '../../local/database/engine.ts';
import { createTables } from '../../local/database/tables.ts';
import { resolveTemplate } from '../../local/stack/physical-resources.ts';
import type { Template } from '../../local/stack/template.ts';
import { type FaultProxy, startFaultProxy } from '../../test/faults/fault-proxy.ts';
import { startDistance } from './distance.ts';

export const REGION = 'us-east-1';
/** Tables in memory, if the system has such a folder: a disk's speed is not what is measured. */
const MEMORY = ['/dev/shm'].find(existsSync);
const STACK = {
  stackName: 'Todoke',
  stackUuid: '11111111-2222-4333-8444-555555555555',
  region: REGION,
  gatewayOrigin: 'http://127.0.0.1',
  awsApiOrigin: 'http://127.0.0.1',
};

/** The stack's tables in an engine of their own, empty. */
export interface BenchStorage {
  /** The environment of a function, with the engine right beside it. */
  readonly near: Readonly<Record<string, string>>;
  /** The same with each request a little later, as to DynamoDB. */
  readonly far: Readonly<Record<string, string>>;
  /** The same through a proxy, whose `calls` are the requests. */
  readonly counted: Readonly<Record<string, string>>;
  readonly proxy: FaultProxy;
  readonly tables: { readonly MAIL_TABLE: string; readonly SENT_LOG_TABLE: string; readonly BOUNCE_TABLE: string };
  /** @returns a function that returns the CPU milliseconds of the engine since then; NaN without /proc */
  engineCpu(): () => number;
  put(table: string, rows: readonly Record<string, unknown>[]): Promise<void>;
  close(): Promise<void>;
}

/** Starts an engine and creates the tables in it. They exist until `close`, or until `outer` runs. */
export async function startBenchStorage(stack: Template, outer: Cleanup): Promise<BenchStorage> {
  const cleanup = new Cleanup();
  const close = () => cleanup.run(console.error);
  outer.defer('close the storage', close);
  const dir = await mkdtemp(join(MEMORY ?? tmpdir(), 'todoke-bench-storage-'));
  cleanup.defer('remove the tables', () => rm(dir, { recursive: true, force: true }));
  const folder = await openDataFolder(dir);
  const engine = await startEngine({ folder, port: 0, report: console.error });
  cleanup.defer('stop DynamoDB', engine.stop);
  const client = new DynamoDBClient({
    endpoint: engine.endpoint,
    region: REGION,
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  });
  cleanup.defer('close the connections to DynamoDB', () => client.destroy());
  const template = resolveTemplate(withoutStreams(stack), STACK);
  await createTables(template, client, dir);
  const proxy = await startFaultProxy(engine.endpoint);
  cleanup.defer('close the proxy', proxy.close);
  const db = DynamoDBDocumentClient.from(client);
  const tables = {
    MAIL_TABLE: template.ref('Mail'),
    SENT_LOG_TABLE: template.ref('SentLog'),
    BOUNCE_TABLE: template.ref('Bounce'),
  };
  const environment = (endpoint: string) => ({ ...tables, AWS_ENDPOINT_URL_DYNAMODB: endpoint });
  return {
    near: environment(engine.endpoint),
    far: environment(await startDistance(engine.endpoint, cleanup)),
    counted: environment(proxy.endpoint),
    proxy,
    tables,
    engineCpu() {
      const before = cpuMsOf(engine.pid);
      return () => cpuMsOf(engine.pid) - before;
    },
    async put(table, rows) {
      for (let start = 0; start < rows.length; start += 25) {
        const requests = rows.slice(start, start + 25).map((Item) => ({ PutRequest: { Item } }));
        await db.send(new BatchWriteCommand({ RequestItems: { [table]: requests } }));
      }
    },
    close,
  };
}

/** proc(5): fields 14 and 15 of stat, in ticks of a hundredth of a second. */
function cpuMsOf(pid: number): number {
  const stat = `/proc/${pid}/stat`;
  if (!existsSync(stat)) return Number.NaN;
  const fields = readFileSync(stat, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/**
 * The embedded engine's writes get slower the more records a table's stream holds. DynamoDB's do not, and nothing here
 * reads a stream.
 */
function withoutStreams(stack: Template): Template {
  const resources = Object.entries(stack.Resources).map(([logicalId, resource]) => {
    const { StreamSpecification, ...properties } = resource.Properties ?? {};
    return [logicalId, resource.Type === 'AWS::DynamoDB::Table' ? { ...resource, Properties: properties } : resource];
  });
  return { ...stack, Resources: Object.fromEntries(resources) };
}
