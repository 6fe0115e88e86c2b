/** Makes the template's tables in the engine. */
import {
  type AttributeDefinition,
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  type DynamoDBClient,
  type GlobalSecondaryIndex,
  type GlobalSecondaryIndexDescription,
  ResourceNotFoundException,
  type TableDescription,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { messageOf } from '../files.ts';
import type { ResolvedTemplate } from '../stack/template.ts';

const keySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }));

const tableProperties = z.object({
  AttributeDefinitions: z.array(z.object({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) })),
  BillingMode: z.literal('PAY_PER_REQUEST'),
  DeletionProtectionEnabled: z.boolean().default(false),
  GlobalSecondaryIndexes: z
    .array(
      z.object({
        IndexName: z.string(),
        KeySchema: keySchema,
        Projection: z.object({
          ProjectionType: z.enum(['ALL', 'INCLUDE', 'KEYS_ONLY']),
          NonKeyAttributes: z.array(z.string()).optional(),
        }),
      }),
    )
    .default([]),
  KeySchema: keySchema,
  SSESpecification: z
    .object({ SSEEnabled: z.boolean(), SSEType: z.literal('KMS').optional(), KMSMasterKeyId: z.string().optional() })
    .optional(),
  StreamSpecification: z
    .object({ StreamViewType: z.enum(['KEYS_ONLY', 'NEW_IMAGE', 'OLD_IMAGE', 'NEW_AND_OLD_IMAGES']) })
    .optional(),
  TimeToLiveSpecification: z.object({ AttributeName: z.string(), Enabled: z.boolean() }).optional(),
});
type TableProperties = z.output<typeof tableProperties>;

/** A table of the stack, as it is in the engine. */
export interface LocalTable {
  readonly logicalId: string;
  readonly name: string;
  /** The attribute whose time ends an item's life; undefined where items live for ever. */
  readonly timeToLiveAttribute: string | undefined;
  /** The names of the key's attributes. */
  readonly keyAttributes: readonly string[];
  /** The engine's own ARN of the stream; undefined where the table has none. */
  readonly streamArn: string | undefined;
}

/**
 * Makes the template's tables where they are missing, and brings the stream and the indexes of the others up to date.
 *
 * @param dataHint says where the data is, for errors
 * @throws Error if a table exists with another key, which no update can change, or with another stream.
 */
export async function createTables(
  template: ResolvedTemplate,
  client: DynamoDBClient,
  dataHint: string,
): Promise<LocalTable[]> {
  const tables = template.resources('AWS::DynamoDB::Table', tableProperties);
  return Promise.all(
    Array.from(tables, async ([logicalId, properties]) => {
      const name = template.ref(logicalId);
      const existing = await describe(client, name);
      const table = existing ? await withStream(client, existing, properties) : await create(client, name, properties);
      try {
        assertSame(table, properties);
        if (existing !== undefined) await updateIndexes(client, existing, properties);
      } catch (cause) {
        throw new Error(
          `Cannot use the table ${name} that is in ${dataHint}: ${messageOf(cause)}. Move that data away, or choose another --dir or --dynamodb-endpoint`,
          {
            cause,
          },
        );
      }
      const ttl = properties.TimeToLiveSpecification;
      return {
        logicalId,
        name,
        timeToLiveAttribute: ttl?.Enabled ? ttl.AttributeName : undefined,
        keyAttributes: properties.KeySchema.map((key) => key.AttributeName),
        streamArn: table.LatestStreamArn,
      };
    }),
  );
}

async function describe(client: DynamoDBClient, name: string): Promise<TableDescription | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName: name }))).Table;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function create(client: DynamoDBClient, name: string, properties: TableProperties): Promise<TableDescription> {
  await client.send(new CreateTableCommand(createTableInput(name, properties)));
  await waitUntilTableExists({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { TableName: name });
  const { TimeToLiveSpecification } = properties;
  if (TimeToLiveSpecification !== undefined) {
    await client.send(new UpdateTimeToLiveCommand({ TableName: name, TimeToLiveSpecification }));
  }
  const table = await describe(client, name);
  if (table === undefined) throw new Error(`Cannot create the table ${name}: it is not there afterwards`);
  return table;
}

/** Some names differ between CloudFormation and the API. Backups are left out. */
function createTableInput(name: string, properties: TableProperties): CreateTableCommandInput {
  const { GlobalSecondaryIndexes, SSESpecification, StreamSpecification } = properties;
  return {
    TableName: name,
    AttributeDefinitions: properties.AttributeDefinitions,
    BillingMode: properties.BillingMode,
    DeletionProtectionEnabled: properties.DeletionProtectionEnabled,
    KeySchema: properties.KeySchema,
    ...(GlobalSecondaryIndexes.length > 0 && { GlobalSecondaryIndexes: GlobalSecondaryIndexes.map(indexInput) }),
    ...(SSESpecification && {
      SSESpecification: {
        Enabled: SSESpecification.SSEEnabled,
        SSEType: SSESpecification.SSEType,
        KMSMasterKeyId: SSESpecification.KMSMasterKeyId,
      },
    }),
    ...(StreamSpecification && { StreamSpecification: { StreamEnabled: true, ...StreamSpecification } }),
  };
}

const indexInput = (index: TableProperties['GlobalSecondaryIndexes'][number]): GlobalSecondaryIndex => ({
  IndexName: index.IndexName,
  KeySchema: index.KeySchema,
  Projection: index.Projection,
});

/** A table that was made before the template gave it a stream gets one. */
async function withStream(
  client: DynamoDBClient,
  table: TableDescription,
  { StreamSpecification }: TableProperties,
): Promise<TableDescription> {
  if (!StreamSpecification || table.StreamSpecification?.StreamEnabled) return table;
  const { TableName } = table;
  await client.send(
    new UpdateTableCommand({ TableName, StreamSpecification: { StreamEnabled: true, ...StreamSpecification } }),
  );
  return (await describe(client, TableName ?? '')) ?? table;
}

function assertSame(table: TableDescription, properties: TableProperties): void {
  if (keyOf(table.KeySchema) !== keyOf(properties.KeySchema)) {
    throw new Error(`its key is ${keyOf(table.KeySchema)}, the template says ${keyOf(properties.KeySchema)}`);
  }
  const [has, wants] = [table.StreamSpecification?.StreamViewType, properties.StreamSpecification?.StreamViewType];
  if (has !== wants)
    throw new Error(`the view type of its stream is ${has ?? 'none'}, the template says ${wants ?? 'none'}`);
}

/** Adds, replaces and removes indexes one by one, as DynamoDB allows it. */
async function updateIndexes(
  client: DynamoDBClient,
  table: TableDescription,
  properties: TableProperties,
): Promise<void> {
  const wanted = new Map(properties.GlobalSecondaryIndexes.map((index) => [index.IndexName, index]));
  const existing = new Map(table.GlobalSecondaryIndexes?.map((index) => [index.IndexName, index]));
  const update = (AttributeDefinitions: AttributeDefinition[], change: object) =>
    client.send(
      new UpdateTableCommand({
        TableName: table.TableName,
        AttributeDefinitions,
        GlobalSecondaryIndexUpdates: [change],
      }),
    );
  for (const [name, index] of existing) {
    const same = name !== undefined && describeIndex(wanted.get(name)) === describeIndex(index);
    if (!same) await update(table.AttributeDefinitions ?? [], { Delete: { IndexName: name } });
    else wanted.delete(name);
  }
  for (const index of wanted.values()) await update(properties.AttributeDefinitions, { Create: indexInput(index) });
}

const keyOf = (keys: readonly { AttributeName?: string | undefined }[] | undefined) =>
  keys?.map((key) => key.AttributeName).join(' + ');

function describeIndex(index: GlobalSecondaryIndexDescription | undefined): string | undefined {
  const { ProjectionType, NonKeyAttributes = [] } = index?.Projection ?? {};
  return index && `${keyOf(index.KeySchema)}: ${ProjectionType} ${[...NonKeyAttributes].sort()}`;
}
