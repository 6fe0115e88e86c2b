import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { dynamoDbClients } from '../../local/database/dynamodb-clients.ts';
import { type LocalModeOptions, startLocalMode } from '../../local/local-mode.ts';
import { assertPortFree, listen } from '../../local/ports.ts';
import { temporaryFolder, whenFinished } from '../temporary.ts';

const arnOf = (logicalId: string) => ({ 'Fn::GetAtt': [logicalId, 'Arn'] });
const CODE = `
exports.handler = async (event) => {
  if (event.Records) {
    const { id } = event.Records[0].dynamodb.Keys;
    const response = await fetch(process.env.SENDGRID_API_URL, { method: 'POST', body: '{}' });
    console.log('sent ' + id.S + ' ' + response.status);
    return { batchItemFailures: [] };
  }
  return { statusCode: 200, body: event.rawPath };
};`;

/** Writes the smallest stack that local mode can run, in the form of a cloud assembly. */
async function writeAssembly(dir: string): Promise<void> {
  const key = `${createHash('sha256').update(CODE).digest('hex')}.zip`;
  await mkdir(join(dir, 'asset.code'), { recursive: true });
  await writeFile(join(dir, 'asset.code', 'index.js'), CODE);
  const template = {
    Resources: {
      Mail: {
        Type: 'AWS::DynamoDB::Table',
        Properties: {
          AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
          BillingMode: 'PAY_PER_REQUEST',
          KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
          StreamSpecification: { StreamViewType: 'NEW_IMAGE' },
        },
      },
      WebhookSecret: { Type: 'AWS::SecretsManager::Secret' },
      SenderSecret: { Type: 'AWS::SecretsManager::Secret' },
      Work: {
        Type: 'AWS::Lambda::Function',
        Properties: {
          Code: { S3Key: key },
          Handler: 'index.handler',
          Runtime: 'nodejs24.x',
          Environment: { Variables: { SENDGRID_API_URL: 'https://api.sendgrid.com' } },
        },
      },
      WorkUrl: {
        Type: 'AWS::Lambda::Url',
        Properties: { AuthType: 'NONE', TargetFunctionArn: arnOf('Work') },
      },
      UrlPermission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          Action: 'lambda:InvokeFunctionUrl',
          FunctionName: arnOf('Work'),
          FunctionUrlAuthType: 'NONE',
          Principal: '*',
        },
      },
      InvokePermission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          Action: 'lambda:InvokeFunction',
          FunctionName: arnOf('Work'),
          InvokedViaFunctionUrl: true,
          Principal: '*',
        },
      },
      WorkOnMail: {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: {
          EventSourceArn: { 'Fn::GetAtt': ['Mail', 'StreamArn'] },
          FunctionName: { Ref: 'Work' },
          StartingPosition: 'TRIM_HORIZON',
        },
      },
    },
    Outputs: {
      MailTableName: { Value: { Ref: 'Mail' } },
      SendGridWebhookUrl: { Value: { 'Fn::GetAtt': ['WorkUrl', 'FunctionUrl'] } },
      CustomersMailCloudWebhookUrl: { Value: { 'Fn::GetAtt': ['WorkUrl', 'FunctionUrl'] } },
    },
  };
  const files = {
    'Todoke.template.json': template,
    'Todoke.assets.json': {
      files: {
        code: {
          source: { path: 'asset.code', packaging: 'zip' },
          destinations: { current: { bucketName: 'assets', objectKey: key } },
        },
      },
    },
    'manifest.json': {
      artifacts: {
        'Todoke.assets': { type: 'cdk:asset-manifest', properties: { file: 'Todoke.assets.json' } },
        Todoke: { type: 'aws:cloudformation:stack', properties: { templateFile: 'Todoke.template.json' } },
      },
    },
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), JSON.stringify(content));
}

let assemblyDir: string;
beforeAll(async () => {
  assemblyDir = temporaryFolder();
  await writeAssembly(assemblyDir);
});

async function start(options: Partial<LocalModeOptions> = {}) {
  const reported: string[] = [];
  const local = await startLocalMode({
    dir: options.dir ?? temporaryFolder(),
    port: 0,
    delayMs: 0,
    assemblyDir,
    timing: { pollIntervalMs: 10, retryDelayMs: () => 1 },
    report: (line) => reported.push(line),
    ...options,
  });
  whenFinished(local.stop);
  return { ...local, reported };
}

describe('local mode', () => {
  test('runs the stack, and writes its outputs in the form of a deployment’s', async () => {
    const { outputs, outputsFile } = await start();
    expect(JSON.parse(await readFile(outputsFile, 'utf8'))).toEqual({ Todoke: outputs });
    expect(outputs).toEqual({
      MailTableName: 'Todoke-Mail-local',
      SendGridWebhookUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/function-url\/Work\/$/),
      CustomersMailCloudWebhookUrl: expect.any(String),
      DynamoDbEndpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      AwsApiEndpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      SendGridApiUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      SmtpUrl: expect.stringMatching(/^smtp:\/\/127\.0\.0\.1:\d+$/),
      SmtpCaFile: expect.stringMatching(/ca\.pem$/),
      PublishedEventsFile: expect.stringMatching(/published-events\.jsonl$/),
    });
    const response = await fetch(`${outputs['SendGridWebhookUrl']}below`);
    expect(await response.text()).toBe('/below');
  });

  test('delivers a new item to the function, with a simulator as the provider', async () => {
    const dir = temporaryFolder();
    const { outputs } = await start({ dir });
    const { tables, close } = dynamoDbClients(outputs['DynamoDbEndpoint'] ?? '', 'ap-northeast-1');
    whenFinished(close);
    await tables.send(new PutItemCommand({ TableName: 'Todoke-Mail-local', Item: { id: { S: 'first' } } }));
    await vi.waitFor(
      async () => expect(await readFile(join(dir, 'logs', 'Work.log'), 'utf8')).toMatch(/sent first \d+/),
      { timeout: 10_000, interval: 10 },
    );
  });

  test('keeps secrets and addresses after a restart, and leaves no process behind', async () => {
    const dir = temporaryFolder();
    const first = await start({ dir });
    const webhookSecret = await readFile(join(dir, 'webhook-secret.json'), 'utf8');
    const senderSecret = await readFile(join(dir, 'sender-secret.json'), 'utf8');
    expect(JSON.parse(webhookSecret)).toEqual({
      sendgridPublicKeys: [expect.stringMatching(/^MFkw/)],
      customersMailCloud: { apiKeys: [expect.any(String)], basic: [], bearerTokens: [] },
    });
    expect(JSON.parse(senderSecret)).toMatchObject({
      sendgridApiKey: expect.stringMatching(/^SG\.[\w-]{22}\.[\w-]{43}$/),
      customersMailCloudSmtp: { host: 'localhost', port: Number(first.outputs['SmtpUrl']?.split(':').at(-1)) },
    });
    await Promise.all([first.stop(), first.stop()]);
    expect(existsSync(first.outputsFile)).toBe(false);
    await expect(fetch(first.outputs['DynamoDbEndpoint'] ?? '')).rejects.toThrow();
    await start({ dir });
    expect(await readFile(join(dir, 'webhook-secret.json'), 'utf8')).toBe(webhookSecret);
  });

  test('refuses a folder that a running local mode uses', async () => {
    const dir = temporaryFolder();
    await start({ dir });
    await expect(start({ dir })).rejects.toThrow(`Cannot use ${dir}: Todoke already runs in it`);
  });

  test('names a taken port and its purpose, and leaves nothing behind', async () => {
    const dir = temporaryFolder();
    const taken = await portAfterAFreeOne();
    await expect(start({ dir, port: taken - 1 })).rejects.toThrow(`Cannot listen on 127.0.0.1:${taken} for DynamoDB`);
    expect(existsSync(join(dir, 'lock.json'))).toBe(false);
  });

  test.each([
    ['logs', 'Cannot write DIR/logs/dynamodb.log: EEXIST'],
    [
      'dynamodb',
      "Cannot use DIR: EEXIST: file already exists, mkdir 'DIR/dynamodb'; move that file away, or choose another",
    ],
    ['simulators', 'Cannot read DIR/simulators/identity.json: '],
    ['stack.json', 'Cannot use DIR/stack.json: it is not JSON'],
  ])('says so if %s is a file that it did not write, and leaves no process behind', async (name, words) => {
    const dir = temporaryFolder();
    await writeFile(join(dir, name), 'of somebody else');
    const failed: unknown = await start({ dir }).catch((error: unknown) => error);
    expect(String(failed).replaceAll(dir, 'DIR')).toMatch(new RegExp(`^Error: ${words}.*$`));
    expect(existsSync(join(dir, 'lock.json'))).toBe(false);
  });

  test('can be stopped while it starts', async () => {
    const dir = temporaryFolder();
    const stopping = new AbortController();
    const report = (line: string) => {
      if (line.startsWith('Making the tables')) stopping.abort(new Error('Interrupted'));
    };
    await expect(start({ dir, signal: stopping.signal, report })).rejects.toThrow('Interrupted');
    expect(existsSync(join(dir, 'lock.json'))).toBe(false);
  });

  test('can use a DynamoDB that is already running', async () => {
    const host = await start();
    const endpoint = host.outputs['DynamoDbEndpoint'];
    const guest = await start({ dynamoDbEndpoint: endpoint });
    expect(guest.outputs['DynamoDbEndpoint']).toBe(endpoint);
  });

  test('says at which address it found no DynamoDB', async () => {
    const gone = start({ dynamoDbEndpoint: 'http://127.0.0.1:1' });
    await expect(gone).rejects.toThrow('Cannot use DynamoDB at http://127.0.0.1:1: nothing answers there');
  });
});

/** Takes a port whose preceding port is free. */
async function portAfterAFreeOne(): Promise<number> {
  for (;;) {
    const other = createServer();
    const port = await listen(other, 0, 'the test');
    whenFinished(() => other.close());
    const isFree = await assertPortFree(port - 1, 'the test').then(
      () => true,
      () => false,
    );
    if (isFree) return port;
  }
}
