/** send-mail as Lambda would call it, over real tables, and a mail API that does as it is told. */
import tls from 'node:tls';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Context, DynamoDBRecord } from 'aws-lambda';
import { vi } from 'vitest';
import { RESERVE_MS } from '../../../lambda/sending/invocation.ts';
import { startEngine } from '../../../local/database/engine.ts';
import { issueLocalCertificate } from '../../../local/simulators/certificate.ts';
import { type FaultProxy, startFaultProxy } from '../../faults/fault-proxy.ts';
import { temporaryDataFolder, whenFinished } from '../../temporary.ts';
import { ACCOUNT, reply, startMailServer } from '../providers/smtp.ts';
import { type ApiAnswer, type SendRequest, startMailApi, startSecretServer } from './sender-servers.ts';

type Row = Record<string, unknown>;

/** Answers a request for sending; undefined is SendGrid's 202. */
export type Answers = (
  request: SendRequest & { readonly number: number },
) => ApiAnswer | undefined | Promise<ApiAnswer | undefined>;

const MAIL = 'Mail-under-test';
const SENT_LOG = 'SentLog-under-test';
const BOUNCE = 'Bounce-under-test';

/** Starts everything for the tests of one file, in which `lambda/send-mail.ts` is loaded once. */
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
  await createTable(client, BOUNCE, ['fullMessageId', 'eventId']);

  const certificate = await issueLocalCertificate();
  // What NODE_EXTRA_CA_CERTS does to a process when it starts.
  const { createSecureContext } = tls;
  vi.spyOn(tls, 'createSecureContext').mockImplementation((options) =>
    createSecureContext({ ...options, ca: certificate.ca }),
  );
  const account = { locked: false };
  const smtp = await startMailServer(certificate, {
    onAuth: ({ username }, _, callback) =>
      account.locked ? callback(reply(535, '5.7.8 Account locked')) : callback(null, { user: username }),
    onRcptTo({ address }, _, callback) {
      if (address.startsWith('refused')) return callback(reply(550, '5.1.1 No such user here'));
      if (address.startsWith('busy')) return callback(reply(451, '4.3.0 Local error'));
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
  const secrets = await startSecretServer(() => ({
    sendgridApiKey: 'SG.key',
    customersMailCloudSmtp: { host: 'localhost', port: smtp.port, ...ACCOUNT },
  }));
  whenFinished(() => secrets.close());

  Object.assign(process.env, {
    AWS_REGION: 'ap-northeast-1',
    AWS_ACCESS_KEY_ID: 'SendMail',
    AWS_SECRET_ACCESS_KEY: 'tests',
    AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    STACK_NAME: 'Todoke-under-test',
    MAIL_TABLE: MAIL,
    SENT_LOG_TABLE: SENT_LOG,
    BOUNCE_TABLE: BOUNCE,
    SENDER_SECRET: 'SenderSecret',
    SENDGRID_API_URL: mailApi.url,
    RETENTION_DAYS: '180',
  });
  const { handler } = await import('../../../lambda/send-mail.ts');

  return {
    proxy: proxy as FaultProxy,
    api,
    /** Whom SendGrid took a mail for, in order. */
    handedOver,
    smtp,
    /** Of the SMTP server. */
    account,
    put: async (item: Row) => void (await db.send(new PutCommand({ TableName: MAIL, Item: item }))),
    mail: async (id: string) =>
      (await db.send(new GetCommand({ TableName: MAIL, Key: { id }, ConsistentRead: true }))).Item,
    bounces: async () => (await db.send(new ScanCommand({ TableName: BOUNCE, ConsistentRead: true }))).Items ?? [],
    sentLog: async () => (await db.send(new ScanCommand({ TableName: SENT_LOG, ConsistentRead: true }))).Items ?? [],
    /**
     * Delivers records, with this much time for retries before the invocation gives up.
     *
     * @returns the sequence numbers that are to be delivered again
     */
    async deliver(records: readonly DynamoDBRecord[], retryMs = 20_000): Promise<string[]> {
      const endsAtMs = Date.now() + RESERVE_MS + retryMs;
      const context = { getRemainingTimeInMillis: () => endsAtMs - Date.now() } as Context;
      const { batchItemFailures } = await handler({ Records: [...records] }, context);
      return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    },
  };
}

async function createTable(client: DynamoDBClient, name: string, keys: string[]): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: keys.map((key) => ({ AttributeName: key, AttributeType: 'S' })),
      KeySchema: keys.map((key, index) => ({ AttributeName: key, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
    }),
  );
}
