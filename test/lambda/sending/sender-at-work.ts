/** send-mail as Lambda would call it, with real tables, and a mail API that gives the answers that a test sets. */
import tls from 'node:tls';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Context, DynamoDBRecord, SQSRecord } from 'aws-lambda';
import { vi } from 'vitest';
import { RESERVE_MS } from '../../../lambda/sending/invocation.ts';
import { readSending } from '../../../lambda/sending/retry-queue.ts';
import type { Sending } from '../../../lambda/sending/sending.ts';
import { AwsApiError, startAwsApi } from '../../../local/aws-api/aws-api.ts';
import { sqsCalls } from '../../../local/aws-api/sqs-calls.ts';
import { startEngine } from '../../../local/database/engine.ts';
import { LocalQueue } from '../../../local/event-sources/queue.ts';
import { issueLocalCertificate } from '../../../local/simulators/certificate.ts';
import { type FaultProxy, startFaultProxy } from '../../faults/fault-proxy.ts';
import { temporaryDataFolder, temporaryFolder, whenFinished } from '../../temporary.ts';
import { ACCOUNT, reply, startMailServer } from '../providers/smtp.ts';
import { type ApiAnswer, type SendRequest, startAwsServer, startMailApi } from './sender-servers.ts';

type Row = Record<string, unknown>;

/** Answers a Mail Send request. If it returns undefined, the answer is SendGrid's 202. */
export type Answers = (
  request: SendRequest & { readonly number: number },
) => ApiAnswer | undefined | Promise<ApiAnswer | undefined>;

const MAIL = 'Mail-under-test';
const SENT_LOG = 'SentLog-under-test';
const BOUNCE = 'Bounce-under-test';

/** Starts everything for the tests of one file, which loads `lambda/send-mail.ts` once. */
export async function senderAtWork() {
  const engine = await startEngine({ folder: await temporaryDataFolder(), port: 0, report: () => undefined });
  whenFinished(() => engine.stop());
  const proxy = await startFaultProxy(engine.endpoint);
  whenFinished(() => proxy.close());
  const credentials = { accessKeyId: 'tests', secretAccessKey: 'tests' };
  const client = new DynamoDBClient({ endpoint: engine.endpoint, region: 'ap-northeast-1', credentials });
  whenFinished(() => client.destroy());
  const db = DynamoDBDocumentClient.from(client);
  await createTable(client, MAIL, ['id']);
  await createTable(client, SENT_LOG, ['messageId', 'entry']);
  await createTable(client, BOUNCE, ['fullMessageId', 'eventId'], ['toEmail', 'occurredAt']);

  const certificate = await issueLocalCertificate();
  // Does what NODE_EXTRA_CA_CERTS does when a process starts.
  const { createSecureContext } = tls;
  vi.spyOn(tls, 'createSecureContext').mockImplementation((options) =>
    createSecureContext({ ...options, ca: certificate.ca }),
  );
  const account = { locked: false };
  const smtp = await startMailServer(certificate, {
    onAuth: ({ username }, _, callback) =>
      account.locked ? callback(reply(535, '5.7.8 Account locked')) : callback(null, { user: username }),
    onMailFrom: ({ address }, _, callback) =>
      callback(address.startsWith('unknown') ? reply(550, '5.7.1 Not your address') : null),
    onRcptTo({ address }, _, callback) {
      if (address.startsWith('refused')) return callback(reply(550, '5.1.1 No such user here'));
      if (address.startsWith('busy')) return callback(reply(451, '4.3.0 Local error'));
      if (address.startsWith('full')) return callback(reply(552, '5.2.2 Mailbox full'));
      callback(address.startsWith('later') ? reply(450, '4.2.0 Try again later') : null);
    },
  });
  whenFinished(() => smtp.close());

  const handedOver: string[] = [];
  const api = { answer: (() => undefined) as Answers, requests: 0 };
  const mailApi = await startMailApi(async (request) => {
    const answer = await api.answer({ ...request, number: ++api.requests });
    if (answer || request.socket.destroyed) return answer ?? { status: 202 };
    handedOver.push(request.to);
    return { status: 202, headers: { 'x-message-id': `id-of-${request.to}-${handedOver.length}` } };
  });
  whenFinished(() => mailApi.close());
  const secret = { isReadable: true, smtpPort: smtp.port, reads: 0 };
  const secrets = await startAwsServer(() => {
    secret.reads++;
    if (!secret.isReadable) return undefined;
    return {
      sendgridApiKey: 'SG.key',
      customersMailCloudSmtp: { host: 'localhost', port: secret.smtpPort, ...ACCOUNT },
    };
  });
  whenFinished(() => secrets.close());
  const retryQueue = await startRetryQueue();

  Object.assign(process.env, {
    AWS_REGION: 'ap-northeast-1',
    AWS_ACCESS_KEY_ID: 'SendMail',
    AWS_SECRET_ACCESS_KEY: 'tests',
    AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    AWS_ENDPOINT_URL_SQS: retryQueue.endpoint,
    STACK_NAME: 'Todoke-under-test',
    MAIL_TABLE: MAIL,
    SENT_LOG_TABLE: SENT_LOG,
    BOUNCE_TABLE: BOUNCE,
    RETRY_QUEUE_URL: `${retryQueue.endpoint}/123456789012/RetryQueue`,
    SENDER_SECRET: 'SenderSecret',
    SENDGRID_API_URL: mailApi.url,
    RETENTION_DAYS: '180',
    SUPPRESSION: 'on',
  });
  // Another file may have loaded the module, with the environment of its own servers.
  vi.resetModules();
  let { handler } = await import('../../../lambda/send-mail.ts');

  return {
    /** Loads the function again, so that it has read no secret. */
    async reload(): Promise<void> {
      vi.resetModules();
      ({ handler } = await import('../../../lambda/send-mail.ts'));
    },
    proxy: proxy as FaultProxy,
    api,
    /** The first recipient of each mail that SendGrid accepted, in order. */
    handedOver,
    smtp,
    /** The account of the SMTP server. */
    account,
    /** The sender secret. */
    secret,
    put: async (item: Row) => void (await db.send(new PutCommand({ TableName: MAIL, Item: item }))),
    mail: async (id: string) =>
      (await db.send(new GetCommand({ TableName: MAIL, Key: { id }, ConsistentRead: true }))).Item,
    /** Puts a row into Bounce. */
    bounce: async (row: Row) => void (await db.send(new PutCommand({ TableName: BOUNCE, Item: row }))),
    remove: async (id: string) => void (await db.send(new DeleteCommand({ TableName: MAIL, Key: { id } }))),
    bounces: async () => (await db.send(new ScanCommand({ TableName: BOUNCE, ConsistentRead: true }))).Items ?? [],
    sentLog: async () => (await db.send(new ScanCommand({ TableName: SENT_LOG, ConsistentRead: true }))).Items ?? [],
    /** RetryQueue. */
    retries: retryQueue,
    /**
     * Delivers records.
     *
     * @param timeMs the time before the last attempt of the invocation must start
     * @returns the sequence numbers that are to be delivered again
     */
    deliver: (records: readonly DynamoDBRecord[], timeMs = 20_000) => invoke([...records], timeMs),
    /** Delivers these messages, independently of RetryQueue. */
    deliverMessages: (records: readonly SQSRecord[], timeMs = 20_000) => invoke([...records], timeMs),
    /** Delivers the messages of RetryQueue that are due, in batches of 10. */
    async deliverRetries(timeMs = 20_000): Promise<void> {
      for (let batch = await retryQueue.receive(); batch.length > 0; batch = await retryQueue.receive()) {
        const failed = await invoke(batch, timeMs);
        await retryQueue.delete(batch.filter(({ messageId }) => !failed.includes(messageId)));
      }
    },
  };

  async function invoke(records: DynamoDBRecord[] | SQSRecord[], timeMs: number): Promise<string[]> {
    const endsAtMs = Date.now() + RESERVE_MS + timeMs;
    const context = { getRemainingTimeInMillis: () => endsAtMs - Date.now() } as Context;
    const { batchItemFailures } = await handler({ Records: records } as Parameters<typeof handler>[0], context);
    return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  }
}

/** Local mode's SQS with one queue, which uses the clock of the tests. */
async function startRetryQueue() {
  const server = await startAwsApi();
  whenFinished(() => server.stop());
  const retries = {
    endpoint: server.origin,
    refuses: false,
    /** Every message that was put. */
    put: [] as Sending[],
    queue: await openRetryQueue(),
    /** The number of waiting messages. */
    waiting: () => Object.values(retries.queue.counts()).reduce((sum, count) => sum + count, 0),
    async receive(): Promise<SQSRecord[]> {
      const messages = await retries.queue.receive(10);
      return messages.map(({ messageId, body }) => ({ messageId, body, eventSource: 'aws:sqs' }) as SQSRecord);
    },
    delete: (records: readonly SQSRecord[]) =>
      Promise.all(records.map(({ messageId }) => retries.queue.delete(messageId))),
    /** Empties the queue. */
    async reset(): Promise<void> {
      retries.refuses = false;
      retries.put.length = 0;
      retries.queue = await openRetryQueue();
    },
  };
  server.answer({
    async 'AmazonSQS.SendMessage'(input, caller) {
      const send = sqsCalls([retries.queue], async () => undefined)['AmazonSQS.SendMessage'];
      if (retries.refuses || send === undefined) throw new AwsApiError('KmsThrottled', 'The tests refuse it');
      retries.put.push(readSending(String((input as { MessageBody: unknown }).MessageBody)));
      return send(input, caller);
    },
  });
  return retries;
}

const openRetryQueue = () =>
  LocalQueue.open({
    name: 'RetryQueue',
    arn: 'arn:aws:sqs:ap-northeast-1:123456789012:RetryQueue',
    dir: temporaryFolder(),
    visibilityTimeoutMs: 18 * 60_000,
    // The tests move this clock.
    now: () => Date.now(),
  });

async function createTable(
  client: DynamoDBClient,
  name: string,
  keys: string[],
  byRecipient: string[] = [],
): Promise<void> {
  const schema = (names: string[]) =>
    names.map((key, index) => ({ AttributeName: key, KeyType: index === 0 ? ('HASH' as const) : ('RANGE' as const) }));
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [...keys, ...byRecipient].map((key) => ({ AttributeName: key, AttributeType: 'S' })),
      KeySchema: schema(keys),
      ...(byRecipient.length > 0 && {
        GlobalSecondaryIndexes: [
          { IndexName: 'byRecipient', KeySchema: schema(byRecipient), Projection: { ProjectionType: 'ALL' } },
        ],
      }),
    }),
  );
}
