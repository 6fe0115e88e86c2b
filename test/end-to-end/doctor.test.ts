import { generateKeyPairSync } from 'node:crypto';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod';
import { doctorContext } from '../../bin/support/doctor/context.ts';
import { runDoctor } from '../../bin/support/doctor/doctor.ts';
import { sendGridWebhookCheck, testPostCheck } from '../../bin/support/doctor/sendgrid-webhook.ts';
import { readStack } from '../../bin/support/outputs.ts';
import { type Ran, ran, ranHere } from './command.ts';
import { runningStack } from './running-stack.ts';

const webhooksSchema = z.object({ webhooks: z.array(z.looseObject({ id: z.string(), url: z.string() })) });
const LONG_AGO = new Date('2026-01-01');
const API_KEY = 'an api_key of the doctor’s tests, long enough';
const WEBHOOK_KEY = 'SG.webhooks.simulated';
const SECRETS = [API_KEY, WEBHOOK_KEY];
const WITH_WEBHOOK_KEY = { TODOKE_SENDGRID_WEBHOOK_KEY: WEBHOOK_KEY };

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stack = runningStack({
  webhookSecret: {
    sendgridPublicKeys: [publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    customersMailCloud: { apiKeys: [API_KEY] },
  },
});

const outputs = () => stack().local.outputs;
const dynamo = () => {
  const client = new DynamoDBClient({
    endpoint: outputs()['DynamoDbEndpoint'] ?? '',
    region: 'ap-northeast-1',
    credentials: { accessKeyId: 'tests', secretAccessKey: 'tests' },
  });
  onTestFinished(() => client.destroy());
  return client;
};

/** Removes a row, so that every test starts with a healthy stack. */
async function remove(table: 'MailTableName' | 'BounceTableName', Key: Record<string, unknown>): Promise<void> {
  await DynamoDBDocumentClient.from(dynamo()).send(new DeleteCommand({ TableName: outputs()[table], Key }));
}

interface Said {
  readonly stdout: string;
  readonly well: boolean;
}

const optionsOf = ({ webhookKey = '', days = 3 } = {}) => ({ webhookKey, days });

/** Runs the doctor in this process. `npm run doctor` also parses options and sets the exit code. */
async function doctor(file = stack().local.outputsFile, options = {}): Promise<Said> {
  let stdout = '';
  const print = vi.spyOn(console, 'log').mockImplementation((line) => {
    stdout += `${line}\n`;
  });
  const well = await runDoctor(await readStack(file), optionsOf(options)).finally(() => print.mockRestore());
  return { stdout: withoutSecrets(stdout), well };
}

/** `npm run doctor`, in its own process. */
async function doctorCommand(args: readonly string[] = [], environment = {}): Promise<Ran> {
  const said = await ran(stack().local.outputsFile, 'doctor', args, { environment });
  withoutSecrets(said.stdout + said.stderr);
  return said;
}

function withoutSecrets(said: string): string {
  for (const secret of SECRETS) expect(said).not.toContain(secret);
  return said;
}

/** Expects exactly one line with something to fix, and returns its text. */
async function fixLine(said: Promise<Said>): Promise<string> {
  const { stdout, well } = await said;
  expect(well, stdout).toBe(false);
  const lines = stdout.split('\n').filter((line) => line.startsWith('  FIX'));
  expect(lines, stdout).toHaveLength(1);
  return lines[0] ?? '';
}

/** The outputs of the stack with some changes. */
async function outputsWith(changes: Record<string, string | undefined>): Promise<string> {
  const file = join(stack().dir, 'changed-outputs.json');
  await writeFile(file, JSON.stringify({ Todoke: { ...outputs(), ...changes } }));
  return file;
}

/** Changes a secret until the test ends. It looks old, so that functions are expected to have read it already. */
async function secretWith(name: 'webhook-secret' | 'sender-secret', change: (secret: string) => string): Promise<void> {
  const file = join(stack().dir, `${name}.json`);
  const before = await readFile(file, 'utf8');
  const put = async (value: string) => {
    await writeFile(file, value);
    await utimes(file, LONG_AGO, LONG_AGO);
  };
  onTestFinished(() => put(before));
  await put(change(before));
}

const edited = (name: 'webhook-secret' | 'sender-secret', changes: object) =>
  secretWith(name, (secret) => JSON.stringify({ ...JSON.parse(secret), ...changes }));

describe('npm run doctor', () => {
  test('reports a healthy stack with one line per check, and leaves nothing behind', async () => {
    const said = await doctorCommand([], WITH_WEBHOOK_KEY);
    expect(said).toMatchObject({ stderr: '', status: 0 });
    for (const line of [
      /ok {4}outputs: of the stack Todoke, in local mode/,
      /ok {4}table Mail: /,
      /ok {4}table SentLog/,
      /ok {4}table Bounce/,
      /ok {4}secrets: both have their documented shape/,
      /ok {4}SendGrid, sending: the API key may send mail$/m,
      /ok {4}SendGrid, events: 2 public keys set/,
      /ok {4}Customers Mail Cloud, sending: signed in at localhost:\d+$/m,
      /ok {4}Customers Mail Cloud, events: 1 credential set/,
      /ok {4}a forged SendGrid post: was refused/,
      /ok {4}a Customers Mail Cloud post with a wrong key: was refused/,
      /ok {4}a Customers Mail Cloud post with the right key: an empty list was accepted/,
      /ok {4}SendGrid's Event Webhook: it is enabled, signs its posts, and posts all events/,
      /ok {4}SendGrid's test post: it was accepted; 9 rows recorded, and deleted again/,
      /skip {2}streams/,
      /ok {4}EventQueue: empty/,
      /ok {4}FailureQueue: empty/,
      /ok {4}Bounce rows: none is unrecognized or unmatched/,
      /ok {4}mails: none stuck, of 0 items/,
      /skip {2}alarms/,
      /All is well/,
    ])
      expect(said.stdout).toMatch(line);
    expect(await stack().allBounces()).toEqual([]);
    expect(await stack().story('14c5d75ce93.dfd.64b469')).toEqual([]);
  });

  test('does not ask SendGrid about webhooks without a webhook key', async () => {
    const { stdout, well } = await doctor();
    expect(well).toBe(true);
    expect(stdout.match(/skip .*needs TODOKE_SENDGRID_WEBHOOK_KEY/g)).toHaveLength(2);
  });

  test('reads the webhook key from stdin', async () => {
    const input = `TODOKE_SENDGRID_WEBHOOK_KEY=${WEBHOOK_KEY}\n`;
    const { stdout, status } = await ran(stack().local.outputsFile, 'doctor', ['--stdin'], { input });
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringMatching(/was accepted; 9 rows/) });
  });

  test.each([
    ['--days', 'x', /--days x: it must be a whole number/],
    ['--outputs', 'test', /^\nCannot read test: EISDIR/],
    ['--outputs', 'nowhere.json', /nowhere\.json: it does not exist.*cdk deploy --outputs-file/],
  ])('%s %s is refused in one sentence', async (name, value, words) => {
    const { stderr, status } = await ranHere(stack().local.outputsFile, 'doctor', [name, value]);
    expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(words), status: 1 });
  });
});

describe('the doctor finds', () => {
  test('a missing table', async () => {
    const said = await ranHere(await outputsWith({ MailTableName: 'Gone' }), 'doctor');
    expect(said.status).toBe(1);
    expect(said.stdout).toMatch(/FIX {3}table Mail: cannot check this: ResourceNotFoundException/);
    expect(said.stdout).toMatch(/FIX {3}mails: cannot check this/);
  });

  test('a table with a different key and without its index and stream', async () => {
    const said = await doctor(await outputsWith({ SentLogTableName: outputs()['BounceTableName'] }));
    expect(said.stdout).toMatch(/FIX {3}table SentLog: .*its key is fullMessageId\+eventId, not messageId\+entry/);
    expect(said.stdout).toMatch(
      /the key of the index byDay is day\+occurredAt; .*its stream is NEW_AND_OLD_IMAGES, not NEW_IMAGE/,
    );
  });

  test.each([
    ['sender-secret', { sendgridApiKey: 'SG.webhooks.only' }, /SendGrid, sending: the API key may not send mail/],
    ['sender-secret', { sendgridApiKey: 'not a key' }, /SendGrid, sending: the API key does not look like one/],
    [
      'sender-secret',
      { customersMailCloudSmtp: { host: 'smtp.example', port: 587, user: '', password: '' } },
      /Customers Mail Cloud, sending: the SMTP account lacks user, password/,
    ],
    [
      'sender-secret',
      { customersMailCloudSmtp: { host: 'smtp.example', port: 0, user: 'u', password: 'p' } },
      /the SMTP port is 0/,
    ],
  ] as const)('%s: %j', async (name, changes, words) => {
    await edited(name, changes);
    expect(await fixLine(doctor())).toMatch(words);
  });

  test('an invalid public key and a short credential, and prints neither', async () => {
    const { sendgridPublicKeys } = JSON.parse(await readFile(join(stack().dir, 'webhook-secret.json'), 'utf8'));
    await edited('webhook-secret', { sendgridPublicKeys: [...sendgridPublicKeys, 'no-key'] });
    const said = await fixLine(doctor());
    expect(said).toMatch(/SendGrid, events: 1 of 3 public keys is not a P-256 key/);
    expect(said).not.toContain('no-key');
  });

  test('a credential that can be guessed', async () => {
    await edited('webhook-secret', { customersMailCloud: { apiKeys: ['hunter2', API_KEY] } });
    const said = await fixLine(doctor());
    expect(said).toMatch(/Customers Mail Cloud, events: 1 credential of fewer than 16 characters/);
    expect(said).not.toContain('hunter2');
  });

  test('mail that is sent through a provider whose events are not accepted', async () => {
    await secretWith('webhook-secret', () => '{}');
    const { stdout, well } = await doctor();
    expect(well).toBe(false);
    expect(stdout.match(/FIX .*mail is sent, but all its events are refused/g)).toHaveLength(2);
    expect(stdout.match(/skip .*post.*not set up/g)).toHaveLength(3);
  });

  test.each(['not JSON', '{"sendgridPublicKeys": "one"}'])('a malformed secret, in one line: %s', async (value) => {
    await secretWith('webhook-secret', () => value);
    const said = await fixLine(doctor());
    expect(said).toMatch(
      /secrets: Cannot use the secret WebhookSecret-local: its value is not .*npm run setup -- --replace/,
    );
    expect(said).not.toContain('"one"');
  });

  test('a webhook that accepts every post, and one that refuses the right key', async () => {
    const answering = async (status: number) => {
      const server = createServer((request, response) => {
        request.resume().on('end', () => response.writeHead(status).end('said'));
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      onTestFinished(() => void server.close());
      const address = server.address();
      return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`;
    };
    await secretWith('webhook-secret', (secret) => secret);
    const open = await answering(200);
    const accepting = await doctor(await outputsWith({ SendGridWebhookUrl: open, CustomersMailCloudWebhookUrl: open }));
    expect(accepting.well).toBe(false);
    expect(accepting.stdout.match(/FIX {3}a .*post.*: was ACCEPTED/g)).toHaveLength(2);
    const refusing = await fixLine(doctor(await outputsWith({ CustomersMailCloudWebhookUrl: await answering(401) })));
    expect(refusing).toMatch(/with the right key: answered 401: said/);
    const silent = await fixLine(doctor(await outputsWith({ SendGridWebhookUrl: 'http://127.0.0.1:9/' })));
    expect(silent).toMatch(/a forged SendGrid post: cannot check this: .*does not answer/);
  });

  test('an Event Webhook that is missing or wrong, and a test post that does not arrive', async () => {
    const settings = `${outputs()['SendGridApiUrl']}/v3/user/webhooks/event/settings`;
    const headers = { Authorization: `Bearer ${WEBHOOK_KEY}`, 'Content-Type': 'application/json' };
    const patch = (path: string, body: object) =>
      fetch(`${settings}${path}`, { method: 'PATCH', headers, body: JSON.stringify(body) });
    const all = webhooksSchema.parse(await (await fetch(`${settings}/all`, { headers })).json());
    const { id, public_key: _, ...ready } = all.webhooks[0] ?? expect.unreachable();

    const restore = async () => {
      await patch(`/signed/${id}`, { enabled: true });
      await patch(`/${id}`, ready);
    };
    onTestFinished(restore);
    await patch(`/signed/${id}`, { enabled: false });
    await patch(`/${id}`, { ...ready, enabled: false, bounce: false });
    const context = doctorContext(await readStack(stack().local.outputsFile), optionsOf({ webhookKey: WEBHOOK_KEY }));
    expect(await sendGridWebhookCheck(context).look()).toMatchObject({
      state: 'fix',
      says: expect.stringMatching(/^it is not enabled; it does not sign its posts; it does not post bounce/),
    });
    expect(await testPostCheck(context, 1_000).look()).toMatchObject({
      state: 'fix',
      says: expect.stringMatching(/^no row was recorded within 1 s/),
    });
    await restore();

    const missing = await doctor(await outputsWith({ SendGridWebhookUrl: `${ready.url}-other` }), {
      webhookKey: WEBHOOK_KEY,
    });
    expect(missing.stdout).toMatch(/FIX {3}SendGrid's Event Webhook: no Event Webhook posts to SendGridWebhookUrl/);
    const refused = await doctor(undefined, { webhookKey: 'SG.sending.only' });
    expect(refused.stdout).toMatch(/FIX {3}SendGrid's Event Webhook: cannot check this: .*403 access forbidden/);
  });

  test('a message in FailureQueue', async () => {
    const queue = stack().local.queues.get('FailureQueue');
    const { messageId } = (await queue?.send('{}')) ?? expect.unreachable();
    onTestFinished(() => void queue?.delete(messageId));
    expect(await fixLine(doctor())).toMatch(
      /FailureQueue: 1 message about work that was given up\..*Do not purge the queue: a post in it is stored nowhere else/,
    );
  });

  test('a stack without the queues in its outputs', async () => {
    expect(await fixLine(doctor(await outputsWith({ EventQueueUrl: undefined })))).toMatch(
      /EventQueue: .*deploy again/,
    );
  });

  test('mail that is stuck', async () => {
    onTestFinished(async () => {
      for (const id of ['failed', 'lapsed', 'sending', 'deferred', 'held back']) await remove('MailTableName', { id });
    });
    const letter = { from: 'a@example.com', to: 'b@example.jp', subject: 's', content: 'c' };
    await stack().insert({ id: 'failed', ...letter, status: 'failed', error: 'refused' });
    await stack().insert({ id: 'lapsed', ...letter, status: 'sending', sendingUntil: '2026-01-01T00:00:00.000Z' });
    await stack().insert({ id: 'sending', ...letter, status: 'sending', sendingUntil: '2999-01-01T00:00:00.000Z' });
    const nextAttemptAt = '2999-01-01T00:00:00.000123Z';
    await stack().insert({ id: 'deferred', ...letter, status: 'sending', nextAttemptAt });
    await stack().insert({ id: 'held back', ...letter, status: 'hold' });
    expect(await fixLine(doctor())).toMatch(
      /mails: 2 stuck, of 5 items; 1 with a status that Todoke never writes.*; 1 deferred, which Todoke tries again:/,
    );
  });

  test('failures that were unrecognized or joined no mail', async () => {
    onTestFinished(() => stack().deleteBounces());
    const timestamp = Math.floor(Date.now() / 1000);
    const lost = { email: 'b@example.jp', event: 'bounce', timestamp, sg_event_id: 'e', sg_message_id: 'lost.recvd-1' };
    const event_type = 'deliveries';
    // Posted with the api_key of the tests.
    const body = new URLSearchParams({ api_key: API_KEY, event_type, event: JSON.stringify({ news: [lost] }) });
    const post = await fetch(outputs()['CustomersMailCloudWebhookUrl'] ?? '', { method: 'POST', body });
    expect(await post.json()).toEqual({ received: 1 });
    await stack().recorded();
    const withoutDays = await doctor(undefined, { days: 0 });
    expect(await fixLine(doctor())).toMatch(/Bounce rows: 1 unrecognized, 0 unmatched in the last 3 days/);
    expect(withoutDays.stdout).toMatch(/skip {2}Bounce rows: --days is 0/);
  });
});

test("outputs of local mode that lack a service's address are never used with AWS", async () => {
  const { stdout, stderr, status } = await ranHere(await outputsWith({ AwsApiEndpoint: undefined }), 'doctor');
  expect(status).toBe(1);
  expect(stdout + stderr).toMatch(/they have no AwsApiEndpoint/);
});
