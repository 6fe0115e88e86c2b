import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { EMPTY_SENDER_SECRET, senderSecretSchema } from '../../lambda/sending/sender-secret.ts';
import { webhookSecretSchema } from '../../lambda/webhooks/webhook-secret.ts';
import { type Ran, ran, ranHere } from './command.ts';
import { killProcessesOf, post, runningStack, signatureHeaders } from './running-stack.ts';

const SENDING_KEY = 'SG.sending-of-the-tests.secret-part-one';
const FULL_KEY = 'SG.full.secret-part-two';
const WEBHOOK_KEY = 'SG.webhooks.secret-part-three';
const PASSWORD = 'password-of-the-tests';
const SECRETS = [SENDING_KEY, FULL_KEY, WEBHOOK_KEY, PASSWORD];
const WEBHOOK_SETTINGS = '/v3/user/webhooks/event/settings';

const stack = runningStack();
const outputs = () => stack().local.outputs;
const secretFile = (name: string) => join(stack().dir, `${name}.json`);
const webhookSecret = async () =>
  webhookSecretSchema.parse(JSON.parse(await readFile(secretFile('webhook-secret'), 'utf8')));
const senderSecret = async () =>
  senderSecretSchema.parse(JSON.parse(await readFile(secretFile('sender-secret'), 'utf8')));

/** Runs the setup, and expects that it prints no secret. A key that it makes itself is checked separately. */
async function setup(args: readonly string[], environment: Record<string, string> = {}, input?: string): Promise<Ran> {
  const all = ['--skip-doctor', ...args];
  const file = stack().local.outputsFile;
  const said = await (input === undefined
    ? ranHere(file, 'setup', all, { environment })
    : ran(file, 'setup', all, { environment, input }));
  const { sendgridApiKey, customersMailCloudSmtp } = await senderSecret();
  for (const secret of [...SECRETS, sendgridApiKey, customersMailCloudSmtp.password].filter(Boolean)) {
    expect(said.stdout + said.stderr).not.toContain(secret);
  }
  return said;
}

async function expectGood(said: Promise<Ran>): Promise<string> {
  const { stdout, stderr, status } = await said;
  expect({ stderr, status }, stdout).toEqual({ stderr: '', status: 0 });
  return stdout;
}

const webhookSchema = z.looseObject({ id: z.string(), url: z.string(), public_key: z.string().optional() });
const headers = { Authorization: `Bearer ${WEBHOOK_KEY}`, 'Content-Type': 'application/json' };
async function webhooksAtSendGrid() {
  const answer = await fetch(`${outputs()['SendGridApiUrl']}${WEBHOOK_SETTINGS}/all`, { headers });
  return z.object({ webhooks: z.array(webhookSchema) }).parse(await answer.json()).webhooks;
}
const atSendGrid = (method: string, path: string, body?: object) =>
  fetch(`${outputs()['SendGridApiUrl']}${WEBHOOK_SETTINGS}${path}`, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  });

const SMTP_ACCOUNT = ['--smtp-host', 'smtp.example.jp', '--smtp-user', 'user'];

/** Sets up both providers, whatever was set before. */
async function setUpAll(sendingKey = SENDING_KEY): Promise<void> {
  const environment = {
    TODOKE_SENDGRID_WEBHOOK_KEY: WEBHOOK_KEY,
    TODOKE_SENDGRID_API_KEY: sendingKey,
    TODOKE_SMTP_PASSWORD: PASSWORD,
  };
  await expectGood(setup(SMTP_ACCOUNT, environment));
}

/** Functions read a secret again after a minute; new processes read it at once. */
async function asAfterAMinute(): Promise<void> {
  for (const name of ['ReceiveSendGrid', 'ReceiveCustomersMailCloud', 'SendMail']) await killProcessesOf(name);
  const aMinuteAgo = new Date(Date.now() - 61_000);
  for (const name of ['webhook-secret', 'sender-secret']) await utimes(secretFile(name), aMinuteAgo, aMinuteAgo);
}

// The secrets as a new deployment has them.
beforeEach(async () => {
  await writeFile(secretFile('webhook-secret'), '{"kept": {"by": "others"}}');
  await writeFile(secretFile('sender-secret'), '{}');
});

describe('npm run setup', () => {
  test('without input, stores only the key that it makes, and says what to do and where', async () => {
    const said = await expectGood(setup([]));
    for (const line of [
      /In local mode the providers are simulated/,
      /API key: missing/,
      /Custom Access, Mail Send only/,
      /public keys: missing/,
      /Signed Event Webhook/,
      /api_key: made and stored/,
      /MENU → API設定 → Webhook → イベント → 設定/,
      /Events: deliveries and bounces/,
      /SMTP account: missing/,
      /--smtp-host, --smtp-user and TODOKE_SMTP_PASSWORD/,
    ])
      expect(said).toMatch(line);
    expect(said).toContain(`Post URL: ${outputs()['SendGridWebhookUrl']}`);
    expect(said).toContain(`URL: ${outputs()['CustomersMailCloudWebhookUrl']}`);
    const [apiKey = 'none'] = (await webhookSecret()).customersMailCloud.apiKeys;
    expect(apiKey).toMatch(/^[0-9a-f]{64}$/);
    expect(said.split(apiKey)).toHaveLength(2);
    expect(await readFile(secretFile('webhook-secret'), 'utf8')).toMatch(/"kept"[\s\S]*"by": "others"/);
    expect((await stat(secretFile('webhook-secret'))).mode & 0o777).toBe(0o600);

    const again = await expectGood(setup([]));
    expect(again).toMatch(/api_key: set, and kept/);
    expect(again).not.toContain(apiKey);
    expect((await webhookSecret()).customersMailCloud.apiKeys).toEqual([apiKey]);
  });

  test('imports SendGrid’s suppression lists on request, if the key may read them', async () => {
    await setUpAll();
    // Not through send-mail, which would cache the key for a minute.
    const to = ['bounce+listed@example.jp', 'complaint+listed@example.jp'].map((email) => ({ email }));
    const sent = await fetch(`${outputs()['SendGridApiUrl']}/v3/mail/send`, {
      method: 'POST',
      headers: { ...headers, Authorization: `Bearer ${SENDING_KEY}` },
      body: JSON.stringify({
        ...{ personalizations: [{ to }], from: { email: 'a@example.com' }, subject: 's' },
        content: [{ type: 'text/plain', value: 'c' }],
      }),
    });
    expect(sent.status).toBe(202);
    const environment = { TODOKE_SENDGRID_WEBHOOK_KEY: FULL_KEY };
    const offered = await expectGood(setup(['--provider', 'sendgrid'], environment));
    expect(offered).toMatch(/not imported: bounces, spam_reports, invalid_emails\. --import-suppressions imports them/);
    const said = await expectGood(setup(['--provider', 'sendgrid', '--import-suppressions'], environment));
    expect(said).toMatch(/✓ bounces: 1 imported\n.*✓ spam_reports: 1 imported\n.*✓ invalid_emails: 0 imported/);
    const check = await ranHere(stack().local.outputsFile, 'suppressions', ['check', 'bounce+listed@example.jp']);
    expect(check.status).toBe(3);
    const without = { TODOKE_SENDGRID_WEBHOOK_KEY: WEBHOOK_KEY };
    const cannot = await expectGood(setup(['--provider', 'sendgrid', '--import-suppressions'], without));
    expect(cannot).toMatch(/not imported: the key has no read access to Suppressions/);
  });

  test('with a webhook key, creates the webhook, switches its signature on, and stores its public key', async () => {
    for (const { id } of await webhooksAtSendGrid()) await atSendGrid('DELETE', `/${id}`);
    const environment = { TODOKE_SENDGRID_WEBHOOK_KEY: WEBHOOK_KEY, TODOKE_SENDGRID_API_KEY: SENDING_KEY };
    const said = await expectGood(setup(['--provider', 'sendgrid'], environment));
    expect(said).toMatch(
      /an Event Webhook was created[\s\S]*signs its posts now[\s\S]*public key: stored[\s\S]*enabled/,
    );
    expect(said).not.toMatch(/may do more/);
    const [webhook, ...others] = await webhooksAtSendGrid();
    expect(others).toEqual([]);
    const on = { processed: true, deferred: true, delivered: true, bounce: true, dropped: true, spam_report: true };
    expect(webhook).toMatchObject({
      url: outputs()['SendGridWebhookUrl'],
      enabled: true,
      ...on,
      open: false,
      click: false,
    });
    expect((await webhookSecret()).sendgridPublicKeys).toEqual([webhook?.public_key]);
    expect((await senderSecret()).sendgridApiKey).toBe(SENDING_KEY);

    const before = await readFile(secretFile('webhook-secret'), 'utf8');
    const again = await expectGood(setup(['--provider', 'sendgrid'], environment));
    expect(again).toMatch(/API key: set, and kept[\s\S]*public key: set, and kept/);
    expect(await readFile(secretFile('webhook-secret'), 'utf8')).toBe(before);
    expect(await webhooksAtSendGrid()).toEqual([webhook]);
  });

  test('updates an existing webhook', async () => {
    await setUpAll();
    const [{ id, public_key: key, ...webhook } = expect.unreachable()] = await webhooksAtSendGrid();
    await atSendGrid('PATCH', `/${id}`, { ...webhook, enabled: false, bounce: false, open: true });
    await atSendGrid('PATCH', `/signed/${id}`, { enabled: false });
    await expectGood(setup(['--provider', 'sendgrid'], { TODOKE_SENDGRID_WEBHOOK_KEY: WEBHOOK_KEY }));
    expect(await webhooksAtSendGrid()).toEqual([{ id, public_key: key, ...webhook }]);
  });

  test('keeps a sending key without --replace, and warns of a key that may do more than send', async () => {
    await setUpAll();
    const environment = { TODOKE_SENDGRID_API_KEY: FULL_KEY };
    const kept = await expectGood(setup(['--provider', 'sendgrid'], environment));
    expect(kept).toMatch(/A different one was given and not stored; --replace stores it/);
    expect((await senderSecret()).sendgridApiKey).toBe(SENDING_KEY);
    const replaced = await expectGood(setup(['--provider', 'sendgrid', '--replace'], environment));
    expect(replaced).toMatch(/This key may do more than send mail \(user\.webhooks\.event\.settings\.create, /);
    expect((await senderSecret()).sendgridApiKey).toBe(FULL_KEY);
    expect(await expectGood(setup(['--provider', 'sendgrid']))).toMatch(/may do more than send mail/);
  });

  test.each([
    [{ TODOKE_SENDGRID_API_KEY: WEBHOOK_KEY }, /Cannot use the API key: it may not send mail/],
    [{ TODOKE_SENDGRID_API_KEY: 'no key' }, /Cannot use the API key: .*401/],
    [{ TODOKE_SENDGRID_WEBHOOK_KEY: SENDING_KEY, TODOKE_SENDGRID_API_KEY: SENDING_KEY }, /Cannot ask SendGrid.*403/],
  ])('%j is refused in one sentence', async (environment, words) => {
    const { stderr, status } = await setup(['--provider', 'sendgrid', '--replace'], environment);
    expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(words), status: 1 });
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test('adds the Verification Key that a person copied', async () => {
    const before = (await webhookSecret()).sendgridPublicKeys;
    const added =
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==';
    await expectGood(setup(['--provider', 'sendgrid', '--sendgrid-public-key', added]));
    expect((await webhookSecret()).sendgridPublicKeys).toEqual([...before, added]);
    const { stderr, status } = await setup(['--provider', 'sendgrid', '--sendgrid-public-key', 'no-key']);
    expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(/it is not a P-256 key/), status: 1 });
  });

  test('stores a complete SMTP account from flags and stdin, and keeps it', async () => {
    const flags = ['--provider', 'customers-mail-cloud', ...SMTP_ACCOUNT];
    const lacking = await setup(flags);
    expect(lacking).toMatchObject({ status: 1, stderr: expect.stringMatching(/TODOKE_SMTP_PASSWORD not given/) });
    const misspelt = await setup([...flags, '--stdin'], {}, `TODOKE_SMTP_PASSWORT=${PASSWORD}\n`);
    expect(misspelt).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/TODOKE_SMTP_PASSWORT from stdin: it must be/),
    });
    expect(await expectGood(setup([...flags, '--stdin'], {}, `TODOKE_SMTP_PASSWORD=${PASSWORD}\n`))).toMatch(/stored/);
    const account = { host: 'smtp.example.jp', port: 587, user: 'user', password: PASSWORD };
    expect((await senderSecret()).customersMailCloudSmtp).toEqual(account);
    expect(await expectGood(setup(flags))).toMatch(/SMTP account: set, and kept/);
    const otherPort = [...flags, '--smtp-port', '2525'];
    expect(await expectGood(setup(otherPort))).toMatch(/SMTP account: set\. A different one was given and not stored/);
    expect((await senderSecret()).customersMailCloudSmtp).toEqual(account);
    const environment = { TODOKE_SMTP_PASSWORD: PASSWORD };
    await expectGood(setup([...otherPort, '--replace'], environment));
    await expectGood(setup([...flags, '--replace'], environment));
    expect((await senderSecret()).customersMailCloudSmtp).toEqual({ ...account, port: 2525 });
  });

  test('accepts no secret by a flag, and writes none to any file except the secrets', async () => {
    const { stdout } = await ranHere(stack().local.outputsFile, 'setup', ['--help']);
    expect(stdout).not.toMatch(/--\S*(password|api-key|webhook-key)/);
    expect(stdout).toMatch(/In the environment:[\s\S]*TODOKE_SENDGRID_WEBHOOK_KEY/);
    const files = await readdir(stack().dir, { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const text = await readFile(join(file.parentPath, file.name), 'latin1');
      const own = file.name === 'sender-secret.json' ? [WEBHOOK_KEY] : SECRETS;
      for (const secret of own) expect(text.includes(secret), `${file.name} holds a secret`).toBe(false);
    }
  });

  test.each([
    ['--provider', 'post', /--provider post: it must be sendgrid or customers-mail-cloud/],
    ['--rotate', 'sendgrid', /--rotate sendgrid: it must be customers-mail-cloud/],
    ['--smtp-port', 'x', /Cannot use --smtp-port x: it must be a whole number/],
    [
      '--sendgrid-api-key',
      'x',
      /Cannot use --sendgrid-api-key: there is no such option.*`npm run setup -- --help` lists/,
    ],
  ])('%s %s is refused', async (name, value, words) => {
    const { stderr, status } = await setup([name, value]);
    expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(words), status: 1 });
  });
});

describe('a malformed secret', () => {
  const account = { host: 'smtp.example.jp', port: 587, user: 'user', password: PASSWORD };
  const malformed = async (name: string, value: string, args: readonly string[] = []) => {
    const file = secretFile(name);
    const before = await readFile(file, 'utf8');
    onTestFinished(() => writeFile(file, before));
    await writeFile(file, value);
    return ranHere(stack().local.outputsFile, 'setup', ['--skip-doctor', ...args]);
  };

  test('stops the setup, and the error says how to repair it', async () => {
    const { stderr, status } = await malformed('sender-secret', 'hunter2');
    expect(status).toBe(1);
    expect(stderr).toMatch(/SenderSecret-local: its value is not a JSON object\. `npm run setup -- --replace` keeps/);
    expect(stderr).not.toContain('hunter2');
  });

  test.each([
    ['hunter2', {}, /Removed: the whole value\./],
    ['["hunter2"]', {}, /Removed: the whole value\./],
    [
      JSON.stringify({ sendgridApiKey: FULL_KEY, customersMailCloudSmtp: { ...account, port: '25' }, own: 1 }),
      { sendgridApiKey: FULL_KEY, customersMailCloudSmtp: account, own: 1 },
      /Removed: customersMailCloudSmtp\.port\./,
    ],
    [
      JSON.stringify({ sendgridApiKey: 7, customersMailCloudSmtp: 'hunter2' }),
      {},
      /Removed: sendgridApiKey, customersMailCloudSmtp\./,
    ],
    [
      JSON.stringify({ sendgridApiKey: FULL_KEY, customersMailCloudSmtp: { host: 'smtp.example.jp' } }),
      {
        sendgridApiKey: FULL_KEY,
        customersMailCloudSmtp: { ...EMPTY_SENDER_SECRET.customersMailCloudSmtp, host: 'smtp.example.jp' },
      },
      /is well-formed now\n {2}Secrets Manager keeps/,
    ],
  ])('of sending is repaired by --replace, which keeps well-formed parts: %s', async (value, kept, words) => {
    const said = await malformed('sender-secret', value, ['--replace']);
    expect(said).toMatchObject({ stderr: '', status: 0, stdout: expect.stringMatching(words) });
    expect(said.stdout).not.toContain('hunter2');
    expect(JSON.parse(await readFile(secretFile('sender-secret'), 'utf8'))).toEqual({
      ...EMPTY_SENDER_SECRET,
      ...kept,
    });
  });

  test('of the webhooks keeps its valid keys', async () => {
    const whole = {
      sendgridPublicKeys: [stack().publicKey, 7, null],
      customersMailCloud: { apiKeys: ['of the tests'], basic: [{ user: 'u' }, { user: 'v', password: 'w' }] },
    };
    const said = await malformed('webhook-secret', JSON.stringify(whole), ['--replace']);
    expect(said).toMatchObject({ stderr: '', status: 0 });
    expect(await webhookSecret()).toEqual({
      sendgridPublicKeys: [stack().publicKey],
      customersMailCloud: { apiKeys: ['of the tests'], basic: [{ user: 'v', password: 'w' }], bearerTokens: [] },
    });
  });
});

describe('key rotation without interruption', () => {
  test('one call cannot rotate and retire, because nobody could have entered the new key at the provider', async () => {
    const both = await setup(['--rotate', 'customers-mail-cloud', '--retire', 'customers-mail-cloud']);
    expect(both).toMatchObject({ status: 1, stderr: expect.stringMatching(/Cannot rotate and retire/) });
    expect((await webhookSecret()).customersMailCloud.apiKeys).toEqual([]);
  });

  const answers = async (url: string, body: string, headers: Record<string, string>, status: number) =>
    expect((await post(url, body, { headers })).status).toBe(status);
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const customersMailCloud = (api_key: string, status: number) => {
    const body = new URLSearchParams({ api_key, event_type: 'deliveries', event: '{"deliveries":[]}' }).toString();
    return answers(outputs()['CustomersMailCloudWebhookUrl'] ?? '', body, form, status);
  };
  const sendGrid = (status: number) => {
    const signed = { 'Content-Type': 'application/json', ...signatureHeaders('[]') };
    return answers(outputs()['SendGridWebhookUrl'] ?? '', '[]', signed, status);
  };

  /** Whether a mail can be sent now. */
  const sent = async (name: string) => {
    const id = `${name} ${Date.now()}`;
    await stack().insert({ id, from: 'a@example.com', to: 'b@example.jp', subject: 's', content: 'c' });
    return (await stack().settled(id))['status'] === 'sent';
  };
  const environment = { TODOKE_SENDGRID_WEBHOOK_KEY: WEBHOOK_KEY };

  /** @returns the existing key and the new one */
  async function rotateApiKey(): Promise<{ old: string; made: string }> {
    const [old = 'none'] = (await webhookSecret()).customersMailCloud.apiKeys;
    const said = await expectGood(setup(['--rotate', 'customers-mail-cloud']));
    const [kept, made = 'none', ...others] = (await webhookSecret()).customersMailCloud.apiKeys;
    expect([kept, ...others]).toEqual([old]);
    expect(said.split(made)).toHaveLength(2);
    expect(said).not.toContain(old);
    expect(await setup(['--rotate', 'customers-mail-cloud'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/two are accepted already/),
    });
    return { old, made };
  }

  /** @returns the webhook that replaces the existing one. The tests' own key stands for an old key. */
  async function replaceWebhook() {
    const { sendgridPublicKeys } = await webhookSecret();
    const whole = JSON.parse(await readFile(secretFile('webhook-secret'), 'utf8'));
    const keys = [stack().publicKey, ...sendgridPublicKeys.slice(0, 1)];
    await writeFile(secretFile('webhook-secret'), JSON.stringify({ ...whole, sendgridPublicKeys: keys }));

    // The address differs only by its query. The second webhook has its own key.
    const settings = { url: `${outputs()['SendGridWebhookUrl']}?2`, enabled: false, bounce: true };
    const second = webhookSchema.parse(await (await atSendGrid('POST', '', settings)).json());
    expect(await expectGood(setup(['--provider', 'sendgrid'], environment))).toMatch(/3 keys accepted/);
    const [first = expect.unreachable()] = await webhooksAtSendGrid();
    await atSendGrid('DELETE', `/${first.id}`);
    await expectGood(setup(['--provider', 'sendgrid'], environment));
    return second;
  }

  test('of the api_key, the public key and the sending key: first old and new are accepted, then only the new one', async () => {
    await setUpAll(FULL_KEY);
    expect(await sent('before')).toBe(true);
    const { old, made } = await rotateApiKey();
    const second = await replaceWebhook();
    await asAfterAMinute();
    await Promise.all([customersMailCloud(made, 200), customersMailCloud(old, 200), sendGrid(200)]);

    expect(await expectGood(setup(['--retire', 'customers-mail-cloud']))).toMatch(/1 api_key retired, 1 accepted/);
    expect((await webhookSecret()).customersMailCloud.apiKeys).toEqual([made]);
    expect(await expectGood(setup(['--retire', 'sendgrid'], environment))).toMatch(
      /2 public keys retired, 1 key accepted/,
    );
    const [now] = await webhooksAtSendGrid();
    expect(now).toMatchObject({ id: second.id, enabled: true });
    expect((await webhookSecret()).sendgridPublicKeys).toEqual([now?.public_key]);
    await expectGood(setup(['--provider', 'sendgrid', '--replace'], { TODOKE_SENDGRID_API_KEY: SENDING_KEY }));
    // The simulated SendGrid revokes the old key at once. A mail that is refused meanwhile says so, and can be sent again.
    await sent('between');
    await asAfterAMinute();
    expect(await sent('after')).toBe(true);
    await Promise.all([customersMailCloud(old, 401), sendGrid(401), customersMailCloud(made, 200)]);
    const again = await ranHere(stack().local.outputsFile, 'resend', ['--error', 'API key']);
    expect(again.status).toBe(0);
  });
});

test('the setup ends with the doctor, whose exit code it returns', async () => {
  await setUpAll();
  await asAfterAMinute();
  const environment = { TODOKE_SENDGRID_WEBHOOK_KEY: WEBHOOK_KEY };
  const well = await ran(stack().local.outputsFile, 'setup', ['--provider', 'sendgrid'], { environment });
  expect(well.stdout).toMatch(/The doctor[\s\S]*SendGrid's test post: it was accepted/);
  const queue = stack().local.queues.get('FailureQueue');
  const { messageId } = (await queue?.send('{}')) ?? expect.unreachable();
  onTestFinished(() => void queue?.delete(messageId));
  const ill = await ranHere(stack().local.outputsFile, 'setup', ['--provider', 'sendgrid'], { environment });
  expect(ill).toMatchObject({ status: 1, stdout: expect.stringMatching(/FIX {3}FailureQueue/) });
});
