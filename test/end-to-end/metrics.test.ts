/** A running function must write every metric of the stack that an alarm or the dashboard uses. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { METRIC_NAMES } from '../../lambda/aws/metric-names.ts';
import { PROVIDERS } from '../../lambda/mail/provider.ts';
import { newSending } from '../../lambda/sending/sending.ts';
import { metricKey } from '../lib/alarm-evaluator.ts';
import { alarmMetrics, dashboardMetrics } from '../lib/watched-metrics.ts';
import { type EmittedMetric, emittedMetrics } from './emf.ts';
import { type Answer, BEARER_TOKEN, killProcessesOf, post, runningStack, until } from './running-stack.ts';

const sendGridEvent = (event: string) => ({
  email: `${event}@example.jp`,
  timestamp: 1_790_000_000,
  event,
  sg_event_id: event,
  sg_message_id: `${event}.recvd-1`,
});
const entry = (status: string) => ({
  created: '2026-11-01 10:00:00',
  messageId: `<${status}@example.com>`,
  apiData: '',
  status,
  reason: '550',
  subject: 'Subject of a mail',
  from: 'shop@example.com',
  to: `${status}@example.jp`,
});
const mail = (id: string, provider: string) => ({
  id,
  provider,
  from: 'shop@example.com',
  to: 'ann@example.jp',
  subject: 'Subject of a mail',
  content: 'Content of a mail',
});

const stack = runningStack({ timing: { pollIntervalMs: 50, retryDelayMs: () => 1, visibilityTimeoutMs: 5_000 } });
afterEach(() => {
  stack().storage.plan = () => undefined;
});

describe('metrics in the log lines', () => {
  test('events count when they are recorded, by outcome', async () => {
    const words = ['delivered', 'bounce', 'dropped', 'spamreport', 'word of tomorrow', 'open'];
    await expectRecorded(() => stack().postSendGrid(words.map(sendGridEvent)), {
      posts: 1,
      received: 6,
      recorded: 3,
      progressed: 1,
      ignored: 1,
      unrecognized: 1,
      unmatched: 3,
      Provider: 'sendgrid',
      Received: 6,
      Delivered: 1,
      Bounced: 1,
      Dropped: 1,
      Complained: 1,
      Unmatched: 3,
      Unrecognized: 1,
    });
    const deliveries = ['succeeded', 'failed', 'status of tomorrow'].map(entry);
    await expectRecorded(() => stack().postCustomersMailCloud({ event_type: 'deliveries', event: { deliveries } }), {
      Provider: 'customers-mail-cloud',
      Received: 3,
      Delivered: 1,
      Failed: 1,
      Unmatched: 1,
      Unrecognized: 1,
    });
    const bounces = ['2', '10'].map(entry);
    await expectRecorded(() => stack().postCustomersMailCloud({ event_type: 'bounces', event: { bounces } }), {
      Provider: 'customers-mail-cloud',
      Received: 2,
      Bounced: 1,
      Dropped: 1,
      Unmatched: 2,
    });
  });

  test('a block list change counts as received, but not as an outcome of a mail', async () => {
    const blocks = [{ created: '2026-11-01 10:00:00', email: 'blocked@example.jp', status: '2' }, 'other@example.jp'];
    const line = await expectRecorded(
      () => stack().postCustomersMailCloud({ event_type: 'blocks', event: { blocks } }),
      { Provider: 'customers-mail-cloud', Received: 2, blocklisted: 2, recorded: 0 },
    );
    for (const name of ['Dropped', 'Unmatched', 'Unrecognized']) expect(line).not.toHaveProperty(name);
    const rows = (await stack().allBounces()).filter(({ outcome }) => outcome === 'blocklisted');
    expect(rows.map(({ toEmail }) => toEmail).toSorted()).toEqual(['blocked@example.jp', 'other@example.jp']);
  });

  test('a failure whose mail is logged is not unmatched', async () => {
    await stack().log({ messageId: 'logged', entry: 'mail', from: 'a@example.com', to: 'b@example.jp', subject: 'S' });
    const event = { ...sendGridEvent('bounce'), sg_event_id: 'logged', sg_message_id: 'logged.recvd-1' };
    const line = await expectRecorded(() => stack().postSendGrid([event]), { Received: 1, Bounced: 1 });
    expect(line).not.toHaveProperty('Unmatched');
  });

  test('an accepted post counts nothing in its receiver, and an empty post counts nothing at all', async () => {
    const before = { receiver: await countsOf('ReceiveSendGrid'), recorder: await recordedLines() };
    await stack().postSendGrid([]);
    await expectRecorded(() => stack().postSendGrid([sendGridEvent('open')]), { Received: 1 });
    expect(await recordedLines()).toHaveLength(before.recorder.length + 1);
    expect(await countsOf('ReceiveSendGrid')).toEqual(before.receiver);
  });

  test('each refused post counts once: 400, 401, 405, 413 and 415', async () => {
    const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
    const toCustomersMailCloud = (body: string, headers: Record<string, string> = {}, method = 'POST') =>
      post(url, body, { method, headers: { 'content-type': 'application/json', ...headers } });
    const authorization = `Bearer ${BEARER_TOKEN}`;
    const text = { 'content-type': 'text/plain' };
    const tooMany = `[${'1,'.repeat(10_000)}1]`;
    for (const [receiver, provider, posts] of [
      [
        'ReceiveSendGrid',
        'sendgrid',
        [
          [400, () => stack().postSendGrid(undefined, { body: '{}' })],
          [401, () => stack().postSendGrid([], { headers: { 'X-Twilio-Email-Event-Webhook-Timestamp': '1' } })],
          [405, () => stack().postSendGrid([], { method: 'GET' })],
          [413, () => stack().postSendGrid(undefined, { body: tooMany })],
          [415, () => stack().postSendGrid([], { headers: text })],
        ],
      ],
      [
        'ReceiveCustomersMailCloud',
        'customers-mail-cloud',
        [
          [400, () => toCustomersMailCloud('{}', { authorization })],
          [401, () => toCustomersMailCloud('{"api_key":"wrong","event":{}}')],
          [405, () => toCustomersMailCloud('', {}, 'GET')],
          [413, () => toCustomersMailCloud(`"${'x'.repeat(1024 * 1024)}"`)],
          [415, () => toCustomersMailCloud('x', { authorization, ...text })],
        ],
      ],
    ] as const) {
      const before = (await countsOf(receiver)).length;
      for (const [status, send] of posts) await expect(send()).resolves.toMatchObject({ status });
      await soon(async () => (await countsOf(receiver)).slice(before)).toEqual(
        posts.map(([status]) =>
          expect.objectContaining({ message: 'webhook', status, Provider: provider, Refused: 1 }),
        ),
      );
    }
  });

  test('each failed attempt to record a post counts as unrecorded, and its events count when it is recorded', async () => {
    const before = (await countsOf('RecordEvents')).length;
    const since = async () => (await countsOf('RecordEvents')).slice(before);
    stack().storage.plan = ({ caller }) => (caller === 'RecordEvents' ? 'error 500' : undefined);
    await expect(
      stack().postCustomersMailCloud({ event_type: 'bounces', event: { bounces: [entry('3')] } }),
    ).resolves.toMatchObject({ status: 200 });
    await expect(
      stack().postSendGrid([{ ...sendGridEvent('bounce'), sg_event_id: 'late', sg_message_id: 'late.recvd-1' }]),
    ).resolves.toMatchObject({ status: 200 });
    for (const Provider of PROVIDERS) {
      await soon(since).toContainEqual(
        expect.objectContaining({ level: 'error', messageId: expect.any(String), Provider, Unrecorded: 1 }),
      );
    }
    expect((await since()).filter((line) => 'Received' in line)).toEqual([]);

    stack().storage.plan = () => undefined;
    for (const Provider of PROVIDERS) {
      await soon(since).toContainEqual(expect.objectContaining({ Provider, Received: 1, Bounced: 1, Unmatched: 1 }));
    }
  });

  test('a queue message that is not a post counts as unrecorded, and does not stop the others of its batch', async () => {
    const queue = stack().local.queues.get('EventQueue') ?? expect.unreachable();
    const { messageId } = await queue.send('no post');
    onTestFinished(() => queue.delete(messageId));
    await soon(() => countsOf('RecordEvents')).toContainEqual(expect.objectContaining({ messageId, Unrecorded: 1 }));
    await expectRecorded(() => stack().postSendGrid([sendGridEvent('open')]), { Received: 1 });
  });

  test.each(PROVIDERS)(
    'mails of %s that are sent, not sent, retried, and refused because of the key',
    async (provider) => {
      await stack().insert(mail(`sent by ${provider}`, provider));
      await expect(stack().settled(`sent by ${provider}`)).resolves.toMatchObject({ status: 'sent' });
      await stack().insert({ ...mail(`to nobody by ${provider}`, provider), to: '' });
      await expect(stack().settled(`to nobody by ${provider}`)).resolves.toMatchObject({ status: 'failed' });

      const complaint = { ...sendGridEvent('spamreport'), email: `complained-${provider}@example.jp` };
      await stack().postSendGrid([{ ...complaint, sg_message_id: `${provider}.recvd-1` }]);
      await stack().recorded();
      await stack().insert({ ...mail(`suppressed for ${provider}`, provider), to: complaint.email });
      await expect(stack().settled(`suppressed for ${provider}`)).resolves.toMatchObject({ status: 'failed' });

      stack().storage.plan = ({ caller, action }) =>
        caller === 'SendMail' && action === 'UpdateItem' ? 'error 500' : undefined;
      await stack().insert(mail(`again by ${provider}`, provider));
      const ofProvider = async () => (await countsOf('SendMail')).filter(({ Provider }) => Provider === provider);
      await until('an attempt that fails', async () => (await ofProvider()).find(({ Retried }) => Retried));
      const late = mail(`late by ${provider}`, provider);
      await stack().insert({ ...late, status: 'on hold' });
      await stack()
        .local.queues.get('RetryQueue')
        ?.send(JSON.stringify(waitingForTwoHours(late)));
      await soon(ofProvider).toContainEqual(expect.objectContaining({ RetriedLate: 1 }));
      stack().storage.plan = () => undefined;
      await expect(stack().settled(`again by ${provider}`)).resolves.toMatchObject({ status: 'sent' });

      // From now on the provider accepts another key. A process of the function keeps its key for a minute. A process that
      // starts meanwhile reads the new key, and then has an old key in the next round.
      const file = join(stack().dir, 'sender-secret.json');
      const before = await readFile(file, 'utf8');
      onTestFinished(async () => {
        await writeFile(file, before);
        await killProcessesOf('SendMail');
      });
      let keys = 0;
      await until('the provider to refuse the key', async () => {
        const id = `with key ${++keys} of ${provider}`;
        await writeFile(file, JSON.stringify(withOtherKeys(before, `another-${keys}`)));
        await stack().insert(mail(id, provider));
        return (await stack().settled(id))['status'] === 'failed' || undefined;
      });

      for (const count of [
        { Sent: 1 },
        { NotSent: 1 },
        { Suppressed: 1 },
        { Retried: 1 },
        { NotSent: 1, UnauthorizedHandovers: 1 },
      ]) {
        await soon(ofProvider).toContainEqual(expect.objectContaining(count));
      }
      // The simulated providers report the events of the mails.
      await Promise.all([stack().local.providers.sendGrid.idle(), stack().local.providers.customersMailCloud.idle()]);
      await soon(async () => stack().local.queues.get('EventQueue')?.messages()).toEqual([]);
    },
  );

  // After all tests of the block, in any order: every metric that alarms and the dashboard use was written under the
  // same name, and no line with metrics contains an address, a subject or a content.
  afterAll(async () => {
    const emitted = new Set(
      (await allEmitted()).map((metric) => metricKey({ ...metric, Dimensions: [...metric.Dimensions] })),
    );
    const { template } = stack();
    const watched = [...alarmMetrics(template), ...dashboardMetrics(template)].filter(
      ({ Namespace }) => Namespace === 'Todoke',
    );
    expect(watched.length).toBeGreaterThan(40);
    expect(watched.map(metricKey).filter((key) => !emitted.has(key))).toEqual([]);
    const watchedNames = new Set(watched.map(({ MetricName }) => MetricName));
    expect(METRIC_NAMES.filter((name) => !watchedNames.has(name))).toEqual([]);

    const lines = (await allLines()).filter((line) => emittedMetrics(line).length > 0);
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) expect(line).not.toMatch(/example\.jp|shop@|Subject of|Content of/);
  });
});

/** A message of RetryQueue. */
function waitingForTwoHours(item: { readonly id: string }) {
  return newSending({ eventId: 'event', writtenAtMs: Date.now() - 2 * 3_600_000, row: item });
}

/** A log line is written a little after the event that it reports. */
function soon<Found>(look: () => Promise<Found>) {
  return expect.poll(look, { timeout: 15_000 });
}

/** Sends a post, and expects one log line of the recorder with these fields. */
async function expectRecorded(send: () => Promise<Answer>, fields: Readonly<Record<string, unknown>>) {
  const { length } = await recordedLines();
  const since = async () => (await recordedLines()).slice(length);
  await expect(send()).resolves.toMatchObject({ status: 200 });
  await soon(since).toEqual([expect.objectContaining(fields)]);
  return (await since())[0];
}

async function recordedLines() {
  return (await countsOf('RecordEvents')).filter(({ message }) => message === 'recorded');
}

const countsSchema = z.looseObject({ message: z.string(), Provider: z.string(), Retried: z.number().optional() });

/** The log lines of a function that contain metrics, in order. */
async function countsOf(functionId: string) {
  return (await linesOf(functionId))
    .filter((line) => emittedMetrics(line).length > 0)
    .map((line) => countsSchema.parse(JSON.parse(line)));
}

async function linesOf(functionId: string): Promise<string[]> {
  const text = await readFile(join(stack().dir, 'logs', `${functionId}.log`), 'utf8').catch(() => '');
  // Local mode puts the time before each line.
  return text.split('\n').map((line) => line.slice(Math.max(0, line.indexOf('{'))));
}

async function allLines(): Promise<string[]> {
  const files = await readdir(join(stack().dir, 'logs'));
  return (await Promise.all(files.map((file) => linesOf(file.replace(/\.log$/, ''))))).flat();
}

async function allEmitted(): Promise<EmittedMetric[]> {
  return (await allLines()).flatMap(emittedMetrics);
}

const secretSchema = z.looseObject({
  sendgridApiKey: z.string(),
  customersMailCloudSmtp: z.looseObject({ password: z.string() }),
});

function withOtherKeys(text: string, key: string) {
  const secret = secretSchema.parse(JSON.parse(text));
  return {
    ...secret,
    sendgridApiKey: `SG.${key}`,
    customersMailCloudSmtp: { ...secret.customersMailCloudSmtp, password: key },
  };
}
