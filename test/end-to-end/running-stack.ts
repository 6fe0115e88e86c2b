/** The whole stack in local mode, for the tests of a file. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateScan,
  QueryCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect } from 'vitest';
import * as z from 'zod';
import { AwsApiError } from '../../local/aws-api/aws-api.ts';
import { openDataFolder } from '../../local/data-folder.ts';
import { startEngine } from '../../local/database/engine.ts';
import { type LocalMode, type LocalModeOptions, startLocalMode } from '../../local/local-mode.ts';
import { resolveTemplate } from '../../local/stack/physical-resources.ts';
import { readAssembly } from '../../local/stack/synthesize.ts';
import type { ResolvedTemplate } from '../../local/stack/template.ts';
import { type FaultProxy, startFaultProxy } from '../faults/fault-proxy.ts';
import { Access } from '../iam/access.ts';
import { type Grant, grantsOf, type Policies, policiesOf, without } from '../iam/policies.ts';
import { assemblyDir, consoleAssemblyDir } from '../prepared.ts';
import { temporaryFolder, whenFinished } from '../temporary.ts';

const REGION = 'ap-northeast-1';

export type Row = Record<string, unknown>;

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicKey = createPublicKey(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })))
  .export({ type: 'spki', format: 'der' })
  .toString('base64');

/** The api_key of the tests' posts to Customers Mail Cloud's webhook. */
export const API_KEY = 'key-of-the-tests';
export const BASIC = { user: 'user-of-the-tests', password: 'password: with a colon' };
export const BEARER_TOKEN = 'token-of-the-tests';

/** The stack of this repository, running on this machine for the tests of one file. */
export interface RunningStack {
  readonly local: LocalMode;
  /** The proxy in front of the tables. It can make storage fail. */
  readonly storage: FaultProxy;
  /** Refuses calls that the template's policies do not allow, as IAM would. */
  readonly access: Access;
  readonly template: ResolvedTemplate;
  readonly policies: Policies;
  readonly dir: string;
  /** The key that verifies {@link RunningStack.postSendGrid}: base64 of SPKI DER. */
  readonly publicKey: string;
  /** Every line that local mode reported. */
  readonly reported: readonly string[];
  /** Puts an item into the Mail table. */
  insert(item: Row): Promise<void>;
  /** Changes a Mail item with an update expression that uses `#name`s. */
  edit(id: string, expression: string, names: Record<string, string>, values?: Row): Promise<void>;
  mail(id: string): Promise<Row | undefined>;
  /** Waits until a Mail item is `sent` or `failed`, and returns it. */
  settled(id: string): Promise<Row>;
  /** Puts a log row into SentLog, as an application does. */
  log(row: Row): Promise<void>;
  /** The log row and the events of a mail, in order. */
  story(messageId: string): Promise<Row[]>;
  /** Waits for an event with this state in the story of a mail. */
  event(messageId: string, state: string): Promise<Row>;
  /** All Bounce rows of a message id. */
  bounces(messageId: string): Promise<Row[]>;
  allBounces(): Promise<Row[]>;
  deleteBounces(): Promise<void>;
  /** Writes a Bounce row, and replaces an existing one. */
  putBounce(row: Row): Promise<void>;
  /** The events that were put on the event bus. */
  published(): Promise<PublishedEvent[]>;
  /** Waits until all accepted posts are recorded, that is, until EventQueue is empty. */
  recorded(): Promise<void>;
  /** Posts to SendGrid's webhook, signed with a key whose public key is in the webhook secret. */
  postSendGrid(
    events: unknown,
    change?: { body?: string; headers?: Record<string, string>; method?: string },
  ): Promise<Answer>;
  /** Posts to Customers Mail Cloud's webhook, as a form with the right `api_key`. */
  postCustomersMailCloud(payload: CustomersMailCloudPayload): Promise<Answer>;
}

const publishedEventSchema = z.looseObject({ 'detail-type': z.string(), detail: z.record(z.string(), z.unknown()) });
export type PublishedEvent = z.infer<typeof publishedEventSchema>;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface CustomersMailCloudPayload {
  readonly event_type: string;
  readonly event: unknown;
  readonly server_composition?: string;
}

export interface StackOptions {
  /** The delay of the simulated providers. */
  readonly delayMs?: number;
  readonly timing?: LocalModeOptions['timing'];
  /** Grants to remove from the template's policies. */
  readonly without?: (grant: Grant) => boolean;
  /** Serves the page, as `npm start` does. */
  readonly page?: LocalModeOptions['page'];
  /** Serves the console for a team, behind an OpenID provider. */
  readonly signIn?: boolean;
  /** How often the streams retry a record. The template limits retries only by the record's age, which is hours. */
  readonly streamRetries?: number;
  /** The value of the webhook secret; by default the keys of the tests. */
  readonly webhookSecret?: object;
}

/** Starts the stack before the tests of a file, and stops it after them. */
export function runningStack(options: StackOptions = {}): () => RunningStack {
  let stack: RunningStack | undefined;
  afterAll(() => {
    if (!options.without) expect(stack?.access.refusals, 'what IAM would refuse').toEqual([]);
  });
  beforeAll(async () => {
    stack = await start(options);
  });
  return () => {
    if (!stack) throw new Error('The stack runs only while the tests do');
    return stack;
  };
}

async function start(options: StackOptions): Promise<RunningStack> {
  const dir = temporaryFolder();
  const { template, policies } = await readPolicies(options);
  const access = new Access(policies, REGION);
  const storage = await startStorageWithProxy(join(dir, 'engine'), access);
  await writeFile(
    join(dir, 'webhook-secret.json'),
    JSON.stringify(
      options.webhookSecret ?? {
        sendgridPublicKeys: [publicKey],
        customersMailCloud: { apiKeys: [API_KEY], basic: [BASIC], bearerTokens: [BEARER_TOKEN] },
      },
    ),
  );
  const reported: string[] = [];
  const local = await startLocalMode({
    dir,
    port: 0,
    delayMs: options.delayMs ?? 0,
    dynamoDbEndpoint: storage.endpoint,
    assemblyDir: await assemblyOf(dir, options),
    authorize: (caller, action, resource) =>
      access.check({ caller, action, resource }).catch((error: Error) => {
        throw new AwsApiError(error.name, error.message);
      }),
    report: (line) => reported.push(line),
    ...(options.timing && { timing: options.timing }),
    ...(options.page && { page: options.page }),
    ...(options.signIn && { signIn: true }),
  });
  whenFinished(local.stop);
  const output = (name: string) => local.outputs[name] ?? `no output ${name}`;
  const client = new DynamoDBClient({
    endpoint: output('DynamoDbEndpoint'),
    region: REGION,
    credentials: { accessKeyId: 'tests', secretAccessKey: 'tests' },
  });
  whenFinished(() => client.destroy());
  const db = DynamoDBDocumentClient.from(client);
  const mailTable = output('MailTableName');
  const sentLogTable = output('SentLogTableName');

  const mail = async (id: string) =>
    (await db.send(new GetCommand({ TableName: mailTable, Key: { id }, ConsistentRead: true }))).Item;
  const story = async (messageId: string) => {
    const { Items } = await db.send(
      new QueryCommand({
        TableName: sentLogTable,
        ConsistentRead: true,
        KeyConditionExpression: '#messageId = :messageId',
        ExpressionAttributeNames: { '#messageId': 'messageId' },
        ExpressionAttributeValues: { ':messageId': messageId },
      }),
    );
    return Items ?? [];
  };
  const allBounces = async () => {
    const rows: Row[] = [];
    const scan = { TableName: output('BounceTableName'), ConsistentRead: true };
    for await (const page of paginateScan({ client: db }, scan)) rows.push(...(page.Items ?? []));
    return rows;
  };

  return {
    local,
    storage,
    access,
    template,
    policies,
    dir,
    publicKey,
    reported,
    mail,
    story,
    allBounces,
    async deleteBounces() {
      for (const { fullMessageId, eventId } of await allBounces()) {
        await db.send(new DeleteCommand({ TableName: output('BounceTableName'), Key: { fullMessageId, eventId } }));
      }
    },
    async putBounce(row) {
      await db.send(new PutCommand({ TableName: output('BounceTableName'), Item: row }));
    },
    async published() {
      const text = await readFile(output('PublishedEventsFile'), 'utf8').catch(() => '');
      return text.split('\n').flatMap((line) => (line === '' ? [] : publishedEventSchema.parse(JSON.parse(line))));
    },
    async insert(item) {
      await db.send(new PutCommand({ TableName: mailTable, Item: item }));
    },
    async edit(id, expression, names, values) {
      await db.send(
        new UpdateCommand({
          TableName: mailTable,
          Key: { id },
          UpdateExpression: expression,
          ExpressionAttributeNames: names,
          ...(values && { ExpressionAttributeValues: values }),
        }),
      );
    },
    settled: (id) =>
      until(`the item ${id} to be sent or to fail`, async () => {
        const item = await mail(id);
        return item?.['status'] === 'sent' || item?.['status'] === 'failed' ? item : undefined;
      }),
    async log(row) {
      await db.send(new PutCommand({ TableName: sentLogTable, Item: row }));
    },
    event: (messageId, state) =>
      until(`a ${state} event of ${messageId}`, async () =>
        (await story(messageId)).find((row) => row['state'] === state),
      ),
    bounces: async (messageId) => (await allBounces()).filter((row) => row['messageId'] === messageId),
    async recorded() {
      await until('EventQueue to be empty', async () =>
        local.queues.get('EventQueue')?.messages().length === 0 ? true : undefined,
      );
    },
    postSendGrid(events, change = {}) {
      const body = change.body ?? JSON.stringify(events);
      return post(output('SendGridWebhookUrl'), body, {
        ...(change.method && { method: change.method }),
        headers: { 'content-type': 'application/json;charset=utf-8', ...signatureHeaders(body), ...change.headers },
      });
    },
    postCustomersMailCloud: ({ event_type, event, server_composition = 'pro' }) =>
      post(
        output('CustomersMailCloudWebhookUrl'),
        new URLSearchParams({
          api_key: API_KEY,
          server_composition,
          event_type,
          event: JSON.stringify(event),
        }).toString(),
        { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      ),
  };
}

const assemblyWith = ({ signIn }: StackOptions) => (signIn ? consoleAssemblyDir() : assemblyDir());

async function readPolicies({ without: lacks, signIn }: StackOptions) {
  const whole = await (signIn ? ofConsole() : ofStack());
  const taken = grantsOf(whole.policies).filter((grant) => lacks?.(grant));
  if (lacks && taken.length === 0) throw new Error('Cannot take a grant away: there is none of this kind');
  return { ...whole, policies: taken.reduce(without, whole.policies) };
}

/** Calls a function only once, for all stacks of this process. */
function once<Result>(make: () => Promise<Result>): () => Promise<Result> {
  let made: Promise<Result> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const ofStack = once(async () => templateAndPolicies(await assemblyDir()));
const ofConsole = once(async () => templateAndPolicies(await consoleAssemblyDir()));

async function templateAndPolicies(assembly: string) {
  const { stackName, template: unresolved } = await readAssembly(assembly);
  const origins = { gatewayOrigin: 'http://127.0.0.1', awsApiOrigin: 'http://127.0.0.1' };
  const template = resolveTemplate(unresolved, { stackName, stackUuid: 'none', region: REGION, ...origins });
  return { template, policies: policiesOf(template) };
}

async function startStorageWithProxy(dir: string, access: Access): Promise<FaultProxy> {
  const engine = await startEngine({ folder: await openDataFolder(dir), port: 0, report: () => undefined });
  whenFinished(engine.stop);
  const proxy = await startFaultProxy(engine.endpoint, { authorize: (call) => access.checkStorage(call) });
  whenFinished(proxy.close);
  return proxy;
}

/** The stack's assembly, or a copy in which streams give up sooner. */
async function assemblyOf(dir: string, options: StackOptions): Promise<string> {
  const { streamRetries } = options;
  const original = await assemblyWith(options);
  if (streamRetries === undefined) return original;
  const copy = join(dir, 'assembly');
  await cp(original, copy, { recursive: true });
  const file = join(copy, 'Todoke.template.json');
  const template = await readFile(file, 'utf8');
  await writeFile(file, template.replaceAll(/"MaximumRetryAttempts": ?-1/g, `"MaximumRetryAttempts":${streamRetries}`));
  return copy;
}

/** Kills the processes of a function that this process started. A new process has cached nothing. */
export async function killProcessesOf(functionId: string): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const of = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const isChild = (await of('status')).includes(`\nPPid:\t${process.pid}\n`);
    // esbuild, too, may be a child with these credentials: it inherits the environment of a test.
    const runsFunction = (await of('cmdline')).includes('function-worker');
    if (isChild && runsFunction && (await of('environ')).split('\0').includes(`AWS_ACCESS_KEY_ID=${functionId}`)) {
      process.kill(Number(pid), 'SIGKILL');
      await until('it to be gone', async () => !existsSync(`/proc/${pid}`) || undefined);
    }
  }
}

/** The headers of a post that SendGrid has signed. */
export function signatureHeaders(body: string, timestamp = '1600112502'): Record<string, string> {
  return {
    'X-Twilio-Email-Event-Webhook-Timestamp': timestamp,
    'X-Twilio-Email-Event-Webhook-Signature': sign('sha256', Buffer.from(timestamp + body), privateKey).toString(
      'base64',
    ),
  };
}

export async function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  init: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const method = init.method ?? 'POST';
  const response = await fetch(url, { method, headers: init.headers ?? {}, ...(method !== 'GET' && { body }) });
  const text = await response.text();
  return { status: response.status, body: text === '' ? '' : JSON.parse(text) };
}

const PATIENCE_MS = 45_000;
/** A look takes some milliseconds of CPU time. */
const POLL_MS = 75;

/** Polls until there is an answer. Fails after longer than any machine needs. */
export async function until<Found>(what: string, look: () => Promise<Found | undefined>): Promise<Found> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadlineMs) throw new Error(`Waited ${PATIENCE_MS} ms for ${what}, in vain`);
    await sleep(POLL_MS);
  }
}
