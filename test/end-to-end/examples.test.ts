import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  BatchWriteCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { ToldOfFailures } from '../../examples/told-of-failures.ts';
import { decisionRow } from '../../lambda/recipients/decision.ts';
import { eventFilter } from '../../local/event-sources/event-filter.ts';
import { grantsOf } from '../iam/policies.ts';
import { unusedGrants } from '../iam/unused-grants.ts';
import { temporaryFolder } from '../temporary.ts';
import { ranHere, runOn } from './command.ts';
import { type PublishedEvent, type Row, runningStack, until } from './running-stack.ts';

/** A client's access key id is the identity whose permissions are checked. */
const SEND_MAIL = 'SendMailPolicy';
const LOG_MAIL = 'LogMailPolicy';
const READ_BOUNCES = 'ReadBouncesPolicy';
const BOTH = `${LOG_MAIL}${READ_BOUNCES}`;

const hasBoto3 = spawnSync('python3', ['-c', 'import boto3']).status === 0;
const root = join(import.meta.dirname, '../..');
const stack = runningStack();

test('with both policies, an application sends, logs and finds the bounce among other rows of the address', async () => {
  const email = 'bounce@example.jp';
  await stack().putBounce(decisionRow({ email, outcome: 'suppressed', reason: 'asked', atMs: Date.now() + 60_000 }));
  const { stdout } = await runExample(BOTH, 'send-and-log', 'Bounce@example.jp');
  expect(stdout).toMatch(/"Your order" bounced \(hard\) at .*: 550 5\.1\.1/);
  const messageId = messageIdIn(stdout);

  // The log row may get its last fields a moment after the bounce was joined with it.
  const logged = await until('the completed log row', async () =>
    (await stack().story(messageId)).find((row) => row['entry'] === 'mail' && row['sentAt'] !== undefined),
  );
  expect(logged).toEqual({
    messageId,
    entry: 'mail',
    provider: 'sendgrid',
    from: 'Shop <shop@example.com>',
    to: 'Bounce@example.jp',
    subject: 'Your order',
    sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    day: expect.stringMatching(/^\d{4}-\d\d-\d\d#[0-7]$/),
    expiresAt: expect.any(Number),
  });
  expect(await stack().bounces(messageId)).toMatchObject([
    { matched: true, toEmail: 'bounce@example.jp', fromEmail: 'shop@example.com', fromName: 'Shop' },
  ]);
});

test.skipIf(!hasBoto3)('the Python version in the documentation does the same', async () => {
  const { outputs, outputsFile } = stack().local;
  const secret = await readFile(join(dirname(outputsFile), 'sender-secret.json'), 'utf8');
  const { stdout } = await runPython(BOTH, 'send_and_log', ['bounce@example.jp'], {
    SENT_LOG_TABLE: outputs['SentLogTableName'],
    BOUNCE_TABLE: outputs['BounceTableName'],
    SENDGRID_API_URL: outputs['SendGridApiUrl'],
    SENDGRID_API_KEY: z.object({ sendgridApiKey: z.string() }).parse(JSON.parse(secret)).sendgridApiKey,
  });
  expect(stdout).toMatch(/"Your order" bounced \(hard\) at .*: 550 5\.1\.1/);
  expect(await stack().bounces(messageIdIn(stdout))).toMatchObject([
    { matched: true, toName: 'Taro', fromEmail: 'shop@example.com', fromName: 'Shop' },
  ]);
});

const askers: [language: string, ask: (addresses: string[]) => Promise<{ stdout: string }>][] = [
  ['TypeScript', (addresses) => runExampleHere(READ_BOUNCES, 'may-i-send', ...addresses)],
  [
    'Python',
    (addresses) =>
      runPython(READ_BOUNCES, 'may_send', addresses, { BOUNCE_TABLE: stack().local.outputs['BounceTableName'] }),
  ],
];

test.each(askers.filter(([language]) => language !== 'Python' || hasBoto3))(
  'in %s, an application checks whether it may send, and decides as send-mail does',
  async (language, ask) => {
    const at = (seconds: number) => 1_790_000_000 + seconds;
    const event = (email: string, name: string, seconds: number, change: object = {}) => ({
      ...{
        email,
        timestamp: at(seconds),
        event: name,
        sg_event_id: `${name}-${email}`,
        sg_message_id: `${email}.recvd`,
      },
      ...change,
    });
    const hard = { type: 'bounce', reason: '550 5.1.1 User unknown' };
    const soft = { type: 'blocked', reason: '452 4.2.2 Mailbox full' };
    const address = (name: string) => `${name}-${language.toLowerCase()}@example.org`;
    await stack().postSendGrid([
      event(address('dead'), 'bounce', 0, hard),
      event(address('dead'), 'bounce', 1, { ...soft, sg_message_id: 'later.recvd' }),
      event(address('full'), 'bounce', 0, soft),
      event(address('complained'), 'spamreport', 0),
      event(address('allowed'), 'bounce', 0, hard),
    ]);
    await stack().recorded();
    const { local } = stack();
    await runOn(local.outputsFile, 'suppressions', 'remove', address('allowed'));
    await runOn(local.outputsFile, 'suppressions', 'add', address('unwanted'));
    const expected = [
      ['dead', 'do not send', 3],
      ['full', 'send', 0],
      ['complained', 'do not send', 3],
      ['allowed', 'send', 0],
      ['unwanted', 'do not send', 3],
      ['unknown', 'send', 0],
    ] as const;
    const { stdout } = await ask(expected.map(([name]) => address(name).toUpperCase()));
    expect(stdout).toBe(expected.map(([name, answer]) => `${address(name).toUpperCase()}: ${answer}\n`).join(''));
    for (const [name, , status] of expected) {
      expect((await ranHere(local.outputsFile, 'suppressions', ['check', address(name)])).status).toBe(status);
    }
  },
);

const putters: [language: string, put: (caller: string, id: string) => Promise<{ stdout: string }>][] = [
  ['TypeScript', (caller, id) => runExampleHere(caller, 'send-mail', id, 'ann@example.jp')],
  [
    'Python',
    (caller, id) =>
      runPython(caller, 'send_once', [id, 'ann@example.jp'], { MAIL_TABLE: stack().local.outputs['MailTableName'] }),
  ],
];

const runnable = putters.filter(([language]) => language !== 'Python' || hasBoto3);

test.each(runnable)('in %s a repeated put of one item sends one mail', async (language, put) => {
  const id = `order-${language}`;
  await expect(put(SEND_MAIL, id)).resolves.toMatchObject({ stdout: expect.stringMatching(/^Put order-.* goes out/) });
  const sent = await stack().settled(id);
  expect(sent).toMatchObject({ status: 'sent', attempts: 1 });
  await expect(put(SEND_MAIL, id)).resolves.toMatchObject({ stdout: expect.stringMatching(/nothing is sent again/) });
  expect(await stack().mail(id)).toEqual(sent);
});

test('with only one policy, an application cannot query bounces, or cannot log', async () => {
  await expect(runExampleHere(LOG_MAIL, 'send-and-log', 'ann@example.jp')).resolves.toMatchObject({
    status: 1,
    stdout: expect.stringContaining('logged as'),
    stderr: expect.stringMatching(/LogMailPolicy is not authorized to perform: dynamodb:Query .*Bounce.*byRecipient/),
  });
  await expect(runExampleHere(READ_BOUNCES, 'send-and-log', 'ann@example.jp')).resolves.toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/ReadBouncesPolicy is not authorized to perform: dynamodb:PutItem .*SentLog/),
  });
  expect(stack().access.refusals.splice(0)).toHaveLength(2);
});

describe("the example's rules for published events:", () => {
  const ruleSchema = z.object({ Properties: z.object({ EventPattern: z.unknown(), Targets: z.array(z.unknown()) }) });
  const app = new App({ outdir: temporaryFolder(), builtinCloudFormationValidation: false });
  const template = Template.fromStack(new ToldOfFailures(app, 'ToldOfFailures'));
  const rules = Object.entries(template.findResources('AWS::Events::Rule')).map(([logicalId, rule]) => ({
    name: logicalId.replace(/[0-9A-F]{8}$/, ''),
    ...ruleSchema.parse(rule).Properties,
  }));

  test('each rule gets the right events', async () => {
    const event = (name: string, change: object = {}) => ({
      email: `${name}@example.jp`,
      timestamp: 1_790_000_000,
      event: 'bounce',
      type: 'bounce',
      reason: '550 5.1.1 no such user',
      sg_event_id: name,
      sg_message_id: `${name}.recvd-1`,
      ...change,
    });
    const logged = ['told-hard', 'told-soft', 'told-complaint'];
    for (const messageId of logged) {
      await stack().log({ messageId, entry: 'mail', from: 'a@example.com', to: 'b@example.jp', subject: 'S' });
    }
    await stack().postSendGrid([
      event('told-hard'),
      event('told-soft', { type: 'blocked', reason: '450 4.2.1 try later' }),
      event('told-complaint', { event: 'spamreport', type: undefined, reason: undefined }),
      event('told-unlogged'),
      { event: 'told of tomorrow' },
    ]);
    const nameOf = ({ detail }: PublishedEvent) =>
      detail['outcome'] === 'unrecognized' ? 'unrecognized' : String(detail['messageId']);
    const ours = await until('the events', async () => {
      const events = (await stack().published()).filter((it) => /^told-|^unrec/.test(nameOf(it)));
      return new Set(
        events.map((it) => (logged.includes(nameOf(it)) ? it.detail['matched'] && nameOf(it) : nameOf(it))),
      ).size >= 5
        ? events
        : undefined;
    });
    const got = rules.map(({ name, EventPattern }) => {
      const passes = eventFilter([JSON.stringify(EventPattern)]);
      return [name, [...new Set(ours.filter(passes).map(nameOf))].toSorted()];
    });
    expect(Object.fromEntries(got)).toEqual({
      ForAPerson: ['told-complaint', 'unrecognized'],
      ForAnApplication: ['told-complaint', 'told-hard', 'told-soft'],
      ForSlack: ['told-hard'],
    });
  });

  test('each rule has one target, and a queue for events that the target does not accept', () => {
    const target = { Arn: expect.anything(), DeadLetterConfig: { Arn: expect.anything() } };
    for (const { Targets } of rules) expect(Targets).toEqual([expect.objectContaining(target)]);
    for (const type of ['AWS::SNS::Subscription', 'AWS::Events::ApiDestination', 'AWS::Events::Connection']) {
      template.resourceCountIs(type, 1);
    }
    template.resourceCountIs('AWS::SQS::Queue', 2);
  });

  test('the patterns in the documentation are valid and match events', async () => {
    const page = await readFile(join(root, 'docs/applications.md'), 'utf8');
    const patterns = Array.from(page.matchAll(/`(\{"source".*?\})` \|/g), ([, pattern = '']) => pattern);
    expect(patterns.length).toBeGreaterThan(3);
    const sample = { source: 'todoke', detail: { matched: true, stackName: 'Todoke', bounceClass: 'hard' } };
    const types = ['Mail Bounced', 'Mail Complained', 'Event Unrecognized'];
    for (const pattern of patterns) {
      const passes = types.filter((type) => eventFilter([pattern])({ ...sample, 'detail-type': type }));
      expect(passes.length, pattern).toBeGreaterThan(0);
      expect(eventFilter([pattern])({ ...sample, source: 'other' })).toBe(false);
    }
  });
});

test('bounces can be looked up by every key and index of the tables', async () => {
  const { send, bounce } = clientOf(READ_BOUNCES);
  const event = { email: 'a@example.jp', timestamp: 1_790_000_000, event: 'bounce', sg_event_id: 'looked-up' };
  await stack().postSendGrid([{ ...event, sg_message_id: 'looked-up.recvd-1' }]);
  await stack().recorded();
  const [row = expect.unreachable('There is no bounce')] = await stack().bounces('looked-up');
  const Key = { fullMessageId: row['fullMessageId'], eventId: row['eventId'] };
  const query = (name: string, index?: string) => send(queryOf(bounce, name, row[name], index));
  expect((await send(new GetCommand({ TableName: bounce, Key }))).Item).toEqual(row);
  const batch = await send(new BatchGetCommand({ RequestItems: { [bounce]: { Keys: [Key] } } }));
  expect(batch.Responses?.[bounce]).toEqual([row]);
  for (const { Items } of [
    await query('fullMessageId'),
    await query('toEmail', 'byRecipient'),
    await query('day', 'byDay'),
  ]) {
    expect(Items).toContainEqual(row);
  }
});

test('with both policies, an application can do nothing else', async () => {
  const { send, mail, sentLog, bounce } = clientOf(BOTH);
  const logKey = { messageId: 'm', entry: 'mail' };
  const bounceKey = { fullMessageId: 'm', eventId: 'e' };
  await expectDenied([
    ['GetItem on .*SentLog', () => send(new GetCommand({ TableName: sentLog, Key: logKey }))],
    ['Query on .*SentLog', () => send(queryOf(sentLog, 'messageId', 'm'))],
    ['Query on .*SentLog.*/index/byDay', () => send(queryOf(sentLog, 'day', 'd', 'byDay'))],
    ['Scan on .*SentLog', () => send(new ScanCommand({ TableName: sentLog }))],
    ['UpdateItem on .*SentLog', () => send(new UpdateCommand({ TableName: sentLog, Key: logKey }))],
    ['DeleteItem on .*SentLog', () => send(new DeleteCommand({ TableName: sentLog, Key: logKey }))],
    ['BatchWriteItem on .*SentLog', () => send(batchOf(sentLog, logKey))],
    ['PutItem on .*Mail', () => send(new PutCommand({ TableName: mail, Item: { id: 'm' } }))],
    ['GetItem on .*Mail', () => send(new GetCommand({ TableName: mail, Key: { id: 'm' } }))],
    ['PutItem on .*Bounce', () => send(new PutCommand({ TableName: bounce, Item: bounceKey }))],
    ['UpdateItem on .*Bounce', () => send(new UpdateCommand({ TableName: bounce, Key: bounceKey }))],
    ['DeleteItem on .*Bounce', () => send(new DeleteCommand({ TableName: bounce, Key: bounceKey }))],
    ['BatchWriteItem on .*Bounce', () => send(batchOf(bounce, bounceKey))],
    ['Scan on .*Bounce', () => send(new ScanCommand({ TableName: bounce }))],
  ]);
});

test('with the policy for sending, an application can put items into Mail, and do nothing else', async () => {
  const { send, mail, sentLog, bounce } = clientOf(SEND_MAIL);
  const Key = { id: 'order' };
  await expectDenied([
    ['GetItem on .*Mail', () => send(new GetCommand({ TableName: mail, Key }))],
    ['Query on .*Mail', () => send(queryOf(mail, 'id', 'order'))],
    ['Scan on .*Mail', () => send(new ScanCommand({ TableName: mail }))],
    ['UpdateItem on .*Mail', () => send(new UpdateCommand({ TableName: mail, Key }))],
    ['DeleteItem on .*Mail', () => send(new DeleteCommand({ TableName: mail, Key }))],
    ['BatchWriteItem on .*Mail', () => send(batchOf(mail, Key))],
    [
      'PutItem on .*SentLog',
      () => send(new PutCommand({ TableName: sentLog, Item: { messageId: 'm', entry: 'mail' } })),
    ],
    ['Query on .*Bounce', () => send(queryOf(bounce, 'fullMessageId', 'm'))],
  ]);
});

// After all tests of the file, in any order: applications must have used each grant of the policies.
afterAll(async () => {
  const { access, policies } = stack();
  const grants = grantsOf(policies).filter(({ holder }) => [SEND_MAIL, LOG_MAIL, READ_BOUNCES].includes(holder));
  expect(grants.length).toBeGreaterThan(10);
  expect(await unusedGrants(grants, access.allowed.values(), policies), 'grants that nothing needs').toEqual([]);
});

async function expectDenied(attempts: readonly [what: string, attempt: () => Promise<unknown>][]): Promise<void> {
  for (const [what, attempt] of attempts) {
    await expect(attempt(), what).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringMatching(
        new RegExp(`not authorized to perform: dynamodb:${what.replace('on', 'on resource:')}`),
      ),
    });
  }
  expect(stack().access.refusals.splice(0)).toHaveLength(attempts.length);
}

/** Runs an example as a developer does, but with this stack and the credentials of `caller`. */
function runExample(caller: string, name: string, ...positionals: string[]) {
  const args = ['--import', 'tsx', `examples/${name}.ts`, '--outputs', stack().local.outputsFile, ...positionals];
  return run(process.execPath, args, { AWS_ACCESS_KEY_ID: caller });
}

/** Runs an example in this process. A separate TypeScript loader takes a second of CPU time. */
const runExampleHere = (caller: string, name: string, ...positionals: string[]) =>
  ranHere(stack().local.outputsFile, name, positionals, {
    folder: 'examples',
    environment: { AWS_ACCESS_KEY_ID: caller },
  });

/** Runs the script in the documentation that defines the function `name`. */
async function runPython(caller: string, name: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const page = await readFile(join(root, 'docs/applications.md'), 'utf8');
  const scripts = Array.from(page.matchAll(/```python\n([\s\S]*?)```/g), ([, script]) => script ?? '');
  const script = scripts.find((text) => text.includes(`def ${name}(`)) ?? 'no script';
  return run('python3', ['-c', script, ...args], {
    AWS_ACCESS_KEY_ID: caller,
    AWS_SECRET_ACCESS_KEY: 'tests',
    AWS_REGION: 'ap-northeast-1',
    AWS_DEFAULT_REGION: 'ap-northeast-1',
    AWS_ENDPOINT_URL_DYNAMODB: stack().local.outputs['DynamoDbEndpoint'],
    ...env,
  });
}

/** Runs asynchronously, because this process serves the stack's storage. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  return promisify(execFile)(command, args, { cwd: root, env: { ...process.env, ...env } });
}

function messageIdIn(output: string): string {
  return /logged as (\S+)/.exec(output)?.[1] ?? 'no message id';
}

function clientOf(caller: string) {
  const { outputs } = stack().local;
  const client = new DynamoDBClient({
    endpoint: outputs['DynamoDbEndpoint'] ?? 'no endpoint',
    region: 'ap-northeast-1',
    credentials: { accessKeyId: caller, secretAccessKey: 'tests' },
  });
  onTestFinished(() => client.destroy());
  const db = DynamoDBDocumentClient.from(client);
  const table = (name: string) => outputs[`${name}TableName`] ?? `no table ${name}`;
  return { send: db.send.bind(db), mail: table('Mail'), sentLog: table('SentLog'), bounce: table('Bounce') };
}

function queryOf(TableName: string, name: string, value: unknown, IndexName?: string): QueryCommand {
  return new QueryCommand({
    TableName,
    ...(IndexName !== undefined && { IndexName }),
    KeyConditionExpression: '#name = :value',
    ExpressionAttributeNames: { '#name': name },
    ExpressionAttributeValues: { ':value': value },
  });
}

function batchOf(table: string, Item: Row): BatchWriteCommand {
  return new BatchWriteCommand({ RequestItems: { [table]: [{ PutRequest: { Item } }] } });
}
