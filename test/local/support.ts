/** Helpers for the tests of local mode. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateTableCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { dynamoDbClients, SDK_WARNING_OFF } from '../../local/database/dynamodb-clients.ts';
import { startEngine } from '../../local/database/engine.ts';
import type { LocalStack } from '../../local/stack/physical-resources.ts';
import { resolveTemplate } from '../../local/stack/physical-resources.ts';
import { type ResolvedTemplate, templateSchema } from '../../local/stack/template.ts';
import { temporaryDataFolder, temporaryFolder, whenFinished } from '../temporary.ts';

Object.assign(process.env, SDK_WARNING_OFF);

export const REGION = 'ap-northeast-1';

export const LOCAL_STACK: LocalStack = {
  stackName: 'Todoke',
  stackUuid: '11111111-2222-4333-8444-555555555555',
  region: REGION,
  gatewayOrigin: 'http://127.0.0.1:8787',
  awsApiOrigin: 'http://127.0.0.1:9999',
};

export function resolve(template: object, stack: Partial<LocalStack> = {}): ResolvedTemplate {
  const parsed = templateSchema.parse(template);
  const local = { ...LOCAL_STACK, ...stack };
  return resolveTemplate(parsed, local);
}

/** An engine with one table `Mail-test` (key `id`) that has a stream. */
export async function engineWithStream() {
  const folder = await temporaryDataFolder();
  const engine = await startEngine({ folder, port: 0, report: () => undefined });
  whenFinished(() => engine.stop());
  const clients = dynamoDbClients(engine.endpoint, REGION);
  whenFinished(clients.close);
  return { folder, engine, ...clients };
}

/** Creates a table for one test, and returns its name and the engine's ARN of its stream. */
export async function tableWithStream(tables: ReturnType<typeof dynamoDbClients>['tables'], name: string) {
  await tables.send(
    new CreateTableCommand({
      TableName: name,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  const { Table } = await tables.send(new DescribeTableCommand({ TableName: name }));
  return { name, streamArn: Table?.LatestStreamArn ?? '' };
}

/** Writes a function's bundle: a CommonJS `index.js` with this body of `exports.handler = async (event, context) => {…}`. */
export async function bundle(handlerBody: string, before = ''): Promise<string> {
  const dir = temporaryFolder();
  await writeFile(join(dir, 'index.js'), `${before}\nexports.handler = async (event, context) => {${handlerBody}};\n`);
  return dir;
}
