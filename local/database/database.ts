/** Starts the database, creates its tables, and deletes expired items. */
import { setInterval } from 'node:timers/promises';
import { DescribeTableCommand, type DynamoDBClient, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import type { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import type { Cleanup } from '../cleanup.ts';
import type { DataFolder } from '../data-folder.ts';
import { isErrorWithCode, messageOf } from '../files.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import { createTables, type LocalTable } from './create-tables.ts';
import { dynamoDbClients } from './dynamodb-clients.ts';
import { startEngine } from './engine.ts';
import { deleteExpiredItems } from './time-to-live.ts';

const EXPIRY_INTERVAL_MS = 60_000;

/** An endpoint with the API of DynamoDB. */
interface Database {
  readonly endpoint: string;
  readonly tables: DynamoDBClient;
  /** A client for Lambda's reads of streams; the access key id is the function's logical id. */
  streamsAs(caller: string): DynamoDBStreamsClient;
}

interface DatabaseOptions {
  readonly folder: DataFolder;
  /** Of the embedded engine; 0 takes a free one. */
  readonly port: number;
  /** An endpoint to use in place of the embedded engine. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly cleanup: Cleanup;
  readonly report: (line: string) => void;
}

/** Starts the embedded engine, or uses the endpoint that was given. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { folder, port, region, cleanup, report } = options;
  const startOwn = async () => {
    const engine = await startEngine({ folder, port, report });
    cleanup.defer('stop DynamoDB', () => engine.stop());
    return engine.endpoint;
  };
  const endpoint = options.endpoint ?? (await startOwn());
  const connect = (accessKeyId?: string) => {
    const clients = dynamoDbClients(endpoint, region, accessKeyId);
    cleanup.defer('close the connections to DynamoDB', clients.close);
    return clients;
  };
  return { endpoint, tables: connect().tables, streamsAs: (caller) => connect(caller).streams };
}

interface PrepareTablesOptions {
  readonly template: ResolvedTemplate;
  readonly database: Database;
  readonly region: string;
  /** Where the data is, for errors. */
  readonly dataHint: string;
  readonly cleanup: Cleanup;
  readonly report: (line: string) => void;
}

/** Creates the template's tables, and deletes expired items regularly. */
export async function prepareTables(options: PrepareTablesOptions): Promise<LocalTable[]> {
  const { template, database, region, dataHint, cleanup, report } = options;
  const tables = await createTables(template, database.tables, dataHint).catch((cause: unknown) => {
    if (!isErrorWithCode(cause, 'ECONNREFUSED')) throw cause;
    throw new Error(`Cannot use DynamoDB at ${database.endpoint}: nothing answers there`, { cause });
  });
  await assertShared(database, region, tables[0]);

  const stopping = new AbortController();
  const sweeping = (async () => {
    for await (const _ of setInterval(EXPIRY_INTERVAL_MS, undefined, { signal: stopping.signal })) {
      for (const table of tables) {
        await deleteExpiredItems(database.tables, table, Math.floor(Date.now() / 1000), stopping.signal).catch(
          (error: unknown) =>
            report(`Cannot delete expired items in ${table.name}: ${messageOf(error)}; trying again in a minute`),
        );
      }
    }
  })().catch(() => undefined);
  cleanup.defer('stop deleting expired items', async () => {
    stopping.abort();
    await sweeping;
  });
  return tables;
}

/** Each function has its own access key. Without `-sharedDb`, DynamoDB Local has separate tables for each access key. */
async function assertShared({ endpoint }: Database, region: string, table: LocalTable | undefined): Promise<void> {
  const other = dynamoDbClients(endpoint, region, 'another');
  try {
    await other.tables.send(new DescribeTableCommand({ TableName: table?.name }));
  } catch (cause) {
    if (!(cause instanceof ResourceNotFoundException)) throw cause;
    throw new Error(`Cannot use DynamoDB at ${endpoint}: start DynamoDB Local with -sharedDb`, { cause });
  } finally {
    other.close();
  }
}
