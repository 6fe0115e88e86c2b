import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ALLOW_ALL } from '../../../local/access.ts';
import { startAwsApi } from '../../../local/aws-api/aws-api.ts';
import { eventBusCalls } from '../../../local/aws-api/event-bus-calls.ts';
import {
  ensureSecretFile,
  type LocalSecret,
  localSecrets,
  secretsManagerCalls,
  updateSenderSecret,
  updateWebhookSecret,
} from '../../../local/aws-api/secrets-manager.ts';
import { sqsCalls } from '../../../local/aws-api/sqs-calls.ts';
import { openQueues } from '../../../local/event-sources/queues.ts';
import { temporaryDataFolder, temporaryFolder, whenFinished } from '../../temporary.ts';
import { REGION, resolve } from '../support.ts';

const template = {
  Resources: {
    WebhookSecret: { Type: 'AWS::SecretsManager::Secret' },
    EventQueue: { Type: 'AWS::SQS::Queue' },
    SmallQueue: { Type: 'AWS::SQS::Queue', Properties: { MaximumMessageSize: 2048 } },
  },
};

let secret: LocalSecret;
let queues: Awaited<ReturnType<typeof openQueues>>;
let queueUrl: string;
let smallQueueUrl: string;
let secretsManager: SecretsManagerClient;
let sqs: SQSClient;
let bus: EventBridgeClient;
let eventsFile: string;
beforeAll(async () => {
  const api = await startAwsApi();
  whenFinished(api.stop);
  const folder = await temporaryDataFolder();
  const resolved = resolve(template, { awsApiOrigin: api.origin });
  const secrets = [...localSecrets(resolved, folder).values()];
  queues = await openQueues(resolved, folder);
  eventsFile = folder.path('published-events.jsonl');
  api.answer({
    ...secretsManagerCalls(secrets, ALLOW_ALL),
    ...sqsCalls([...queues.values()], ALLOW_ALL),
    ...eventBusCalls({ file: eventsFile, region: REGION, authorize: ALLOW_ALL }),
  });
  secret = secrets[0] ?? expect.unreachable();
  queueUrl = resolved.ref('EventQueue');
  smallQueueUrl = resolved.ref('SmallQueue');
  const config = {
    endpoint: api.origin,
    region: REGION,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  };
  secretsManager = new SecretsManagerClient(config);
  sqs = new SQSClient(config);
  bus = new EventBridgeClient(config);
});

describe('Secrets Manager', () => {
  test('returns the current value of the file, by ARN and by name', async () => {
    await writeFile(secret.file, '{"a":1}');
    const byArn = await secretsManager.send(new GetSecretValueCommand({ SecretId: secret.arn }));
    expect(byArn).toMatchObject({ SecretString: '{"a":1}', ARN: secret.arn, Name: 'WebhookSecret-local' });
    await writeFile(secret.file, '{"a":2}');
    const byName = await secretsManager.send(new GetSecretValueCommand({ SecretId: 'WebhookSecret-local' }));
    expect(byName.SecretString).toBe('{"a":2}');
    expect(byName.VersionId).not.toBe(byArn.VersionId);
  });

  test('knows no other secret', async () => {
    const other = secretsManager.send(new GetSecretValueCommand({ SecretId: 'other' }));
    await expect(other).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('writes a file that only its owner can read', async () => {
    await secretsManager.send(new PutSecretValueCommand({ SecretId: 'WebhookSecret-local', SecretString: '{"a":3}' }));
    expect(await readFile(secret.file, 'utf8')).toBe('{"a":3}');
    expect((await stat(secret.file)).mode & 0o777).toBe(0o600);
    const other = secretsManager.send(new PutSecretValueCommand({ SecretId: 'other', SecretString: '{}' }));
    await expect(other).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('answers any other call with an error that names it', async () => {
    const described = secretsManager.send(new DescribeSecretCommand({ SecretId: secret.arn }));
    await expect(described).rejects.toThrow('Local mode does not answer secretsmanager.DescribeSecret');
  });
});

describe('SQS', () => {
  const kept = () => queues.get('EventQueue')?.messages() ?? [];
  beforeEach(async () => {
    for (const { messageId } of kept()) await queues.get('EventQueue')?.delete(messageId);
  });

  test('accepts a message, with a checksum that the SDK accepts', async () => {
    const sent = await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: '届け' }));
    expect(kept()).toMatchObject([{ messageId: sent.MessageId, body: '届け' }]);
  });

  test('accepts 1 MiB and not a byte more', async () => {
    const body = randomBytes(512 * 1024).toString('hex');
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
    const longer = sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: `${body}x` }));
    await expect(longer).rejects.toThrow('1048577 bytes are more than 1048576');
  });

  test("accepts no more bytes than the queue's MaximumMessageSize", async () => {
    const send = (MessageBody: string) => sqs.send(new SendMessageCommand({ QueueUrl: smallQueueUrl, MessageBody }));
    await send('é'.repeat(1024));
    await expect(send(`${'é'.repeat(1024)}x`)).rejects.toMatchObject({
      name: 'InvalidParameterValue',
      message: '2049 bytes are more than 2048',
    });
  });

  test('counts visible messages and messages in flight', async () => {
    const count = async () => {
      const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...AttributeNames] });
      return (await sqs.send(command)).Attributes;
    };
    for (const MessageBody of ['a', 'b']) await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody }));
    expect(await count()).toEqual({ ApproximateNumberOfMessages: '2', ApproximateNumberOfMessagesNotVisible: '0' });
    await queues.get('EventQueue')?.receive(1);
    expect(await count()).toEqual({ ApproximateNumberOfMessages: '1', ApproximateNumberOfMessagesNotVisible: '1' });
  });

  test('delays a message by 0 to 900 seconds', async () => {
    const send = (DelaySeconds: number) =>
      sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: 'later', DelaySeconds }));
    await send(900);
    await send(0);
    const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesDelayed'] as const;
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...AttributeNames] }),
    );
    expect(Attributes).toEqual({ ApproximateNumberOfMessages: '1', ApproximateNumberOfMessagesDelayed: '1' });
    for (const seconds of [-1, 901, 1.5]) {
      await expect(send(seconds)).rejects.toMatchObject({
        name: 'InvalidParameterValue',
        message: `Value ${seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.`,
      });
    }
    expect(kept()).toHaveLength(2);
  });

  test('knows no other queue', async () => {
    const other = sqs.send(new SendMessageCommand({ QueueUrl: `${queueUrl}-other`, MessageBody: 'a' }));
    await expect(other).rejects.toThrow('There is no queue');
  });
});

describe('EventBridge', () => {
  const entry = (Detail: string): PutEventsRequestEntry => ({ Source: 'todoke', DetailType: 'Mail Bounced', Detail });
  const put = (...details: string[]) => bus.send(new PutEventsCommand({ Entries: details.map(entry) }));

  test('writes each event to its own line, and rejects one that is not a JSON object', async () => {
    const { FailedEntryCount, Entries = [] } = await put('{"n":1}', '[]', '{"n":2}');
    expect(FailedEntryCount).toBe(1);
    expect(Entries[1]).toMatchObject({ ErrorCode: 'MalformedDetail' });
    // Other tests may have written events before.
    const lines = (await readFile(eventsFile, 'utf8')).trimEnd().split('\n').slice(-2);
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      [0, 2].map((place) => ({
        version: '0',
        id: Entries[place]?.EventId,
        'detail-type': 'Mail Bounced',
        source: 'todoke',
        account: '000000000000',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        region: REGION,
        resources: [],
        detail: { n: place / 2 + 1 },
      })),
    );
  });

  test('accepts ten events and 1 MiB in a request, and no more', async () => {
    await put(...Array.from({ length: 10 }, () => '{}'));
    await expect(put(...Array.from({ length: 11 }, () => '{}'))).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(put(JSON.stringify('x'.repeat(1024 * 1024)))).rejects.toThrow('over the limit');
  });
});

describe('the files with secrets', () => {
  const first = { sendgridPublicKeys: ['ours'], customersMailCloud: { apiKeys: ['key'], basic: [], bearerTokens: [] } };

  test('are made once, are readable only by their owner, and are never overwritten', async () => {
    const file = `${temporaryFolder()}/webhook-secret.json`;
    await ensureSecretFile(file, first);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await ensureSecretFile(file, { other: true });
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(first);
  });

  test('get the simulator’s key if it is missing, and keep everything else', async () => {
    const file = `${temporaryFolder()}/webhook-secret.json`;
    await writeFile(file, '{"sendgridPublicKeys":["theirs"],"note":"mine"}');
    await updateWebhookSecret(file, 'ours');
    await updateWebhookSecret(file, 'ours');
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      sendgridPublicKeys: ['theirs', 'ours'],
      note: 'mine',
    });
  });

  test.each([
    ['localhost', 2525],
    ['smtp.example.com', 587],
  ])('with the SMTP host %s get the port %i', async (host, port) => {
    const file = `${temporaryFolder()}/sender-secret.json`;
    await ensureSecretFile(file, { customersMailCloudSmtp: { host, port: 587, user: 'u', password: 'p' } });
    const { customersMailCloudSmtp } = await updateSenderSecret(file, 2525);
    expect(customersMailCloudSmtp).toEqual({ host, port, user: 'u', password: 'p' });
    expect(JSON.parse(await readFile(file, 'utf8')).customersMailCloudSmtp.port).toBe(port);
  });

  test('that are not JSON cause an error that names the file and quotes nothing of it', async () => {
    const file = `${temporaryFolder()}/webhook-secret.json`;
    await writeFile(file, '{"sendgridPublicKeys": a secret}');
    await expect(updateWebhookSecret(file, 'ours')).rejects.toThrow(new Error(`Cannot use ${file}: it is not JSON`));
  });
});
