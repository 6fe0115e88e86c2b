/** Every metric of the stack's own that an alarm or the dashboard looks at is written by a function that runs. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { METRIC_NAMES } from '../../lambda/aws/metric-names.ts';
import { PROVIDERS } from '../../lambda/mail/provider.ts';
import { metricKey } from '../lib/alarm-evaluator.ts';
import { alarmMetrics, dashboardMetrics } from '../lib/watched-metrics.ts';
import { type EmittedMetric, emittedMetrics } from './emf.ts';
import { post, runningStack, until } from './running-stack.ts';

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

const stack = runningStack({ timing: { pollIntervalMs: 10, retryDelayMs: () => 1 } });
afterEach(() => {
  stack().storage.plan = () => undefined;
});

describe('in the lines of the logs', () => {
  test('events count by what became of the mail', async () => {
    const before = (await countsOf('ReceiveSendGrid')).length;
    const words = ['delivered', 'bounce', 'dropped', 'spamreport', 'word of tomorrow', 'open'];
    await expect(stack().postSendGrid(words.map(sendGridEvent))).resolves.toMatchObject({
      status: 200,
      body: { received: 6, recorded: 3, progressed: 1, ignored: 1, unrecognized: 1 },
    });
    await soon(async () => (await countsOf('ReceiveSendGrid')).slice(before)).toMatchObject([
      {
        Provider: 'sendgrid',
        Received: 6,
        Delivered: 1,
        Bounced: 1,
        Dropped: 1,
        Complained: 1,
        Unmatched: 3,
        Unrecognized: 1,
      },
    ]);
    const beforeThese = (await countsOf('ReceiveCustomersMailCloud')).length;
    const deliveries = ['succeeded', 'failed', 'status of tomorrow'].map(entry);
    await stack().postCustomersMailCloud({ event_type: 'deliveries', event: { deliveries } });
    await stack().postCustomersMailCloud({ event_type: 'bounces', event: { bounces: ['2', '10'].map(entry) } });
    await soon(async () => (await countsOf('ReceiveCustomersMailCloud')).slice(beforeThese)).toMatchObject([
      { Provider: 'customers-mail-cloud', Received: 3, Delivered: 1, Failed: 1, Unmatched: 1, Unrecognized: 1 },
      { Provider: 'customers-mail-cloud', Received: 2, Bounced: 1, Dropped: 1, Unmatched: 2 },
    ]);
  });

  test('a failure whose mail is logged is not unmatched', async () => {
    await stack().log({ messageId: 'logged', entry: 'mail', from: 'a@example.com', to: 'b@example.jp', subject: 'S' });
    await stack().postSendGrid([
      { ...sendGridEvent('bounce'), sg_event_id: 'logged', sg_message_id: 'logged.recvd-1' },
    ]);
    const last = async () => (await countsOf('ReceiveSendGrid')).at(-1);
    await soon(last).toMatchObject({ Received: 1, Bounced: 1 });
    expect(await last()).not.toHaveProperty('Unmatched');
  });

  test('a post that says nothing, or is refused for its form, counts nothing', async () => {
    const before = (await countsOf('ReceiveSendGrid')).length;
    await stack().postSendGrid([]);
    await stack().postSendGrid('no list');
    await stack().postSendGrid([], { method: 'GET' });
    await stack().postSendGrid([sendGridEvent('open')]);
    await soon(() => countsOf('ReceiveSendGrid')).toHaveLength(before + 1);
    expect((await countsOf('ReceiveSendGrid')).at(-1)).toMatchObject({ Received: 1 });
  });

  test('posts without a right credential count as refused', async () => {
    await stack().postSendGrid([], { headers: { 'X-Twilio-Email-Event-Webhook-Timestamp': '1' } });
    const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
    const body = JSON.stringify({ api_key: 'wrong', event_type: 'deliveries', event: { deliveries: [] } });
    await post(url, body, { headers: { 'content-type': 'application/json' } });
    for (const receiver of ['ReceiveSendGrid', 'ReceiveCustomersMailCloud']) {
      await soon(async () => (await countsOf(receiver)).at(-1)).toMatchObject({ Refused: 1 });
    }
  });

  test('what is spilled counts once, when it is recorded', async () => {
    stack().storage.plan = ({ caller }) => (caller === 'ReceiveCustomersMailCloud' ? 'reset' : undefined);
    const before = (await countsOf('ReceiveCustomersMailCloud')).length;
    const answer = await stack().postCustomersMailCloud({ event_type: 'bounces', event: { bounces: [entry('3')] } });
    expect(answer).toMatchObject({ body: { spilled: true } });
    await soon(() => countsOf('RecordSpilledPosts')).toMatchObject([
      { Provider: 'customers-mail-cloud', Received: 1, Bounced: 1, Unmatched: 1 },
    ]);
    expect(await countsOf('ReceiveCustomersMailCloud')).toHaveLength(before);
  });

  test.each(PROVIDERS)(
    'mails of %s that are sent, not sent, tried again, and refused for the key',
    async (provider) => {
      await stack().insert(mail(`sent by ${provider}`, provider));
      await expect(stack().settled(`sent by ${provider}`)).resolves.toMatchObject({ status: 'sent' });
      await stack().insert({ ...mail(`to nobody by ${provider}`, provider), to: '' });
      await expect(stack().settled(`to nobody by ${provider}`)).resolves.toMatchObject({ status: 'failed' });

      stack().storage.plan = ({ caller, action }) =>
        caller === 'SendMail' && action === 'UpdateItem' ? 'error 500' : undefined;
      await stack().insert(mail(`again by ${provider}`, provider));
      const ofProvider = async () => (await countsOf('SendMail')).filter(({ Provider }) => Provider === provider);
      await until('the stream to deliver it again', async () => (await ofProvider()).find(({ Retried }) => Retried));
      stack().storage.plan = () => undefined;
      await expect(stack().settled(`again by ${provider}`)).resolves.toMatchObject({ status: 'sent' });

      // The provider takes another key from now on; the function has its own for a minute.
      const file = join(stack().dir, 'sender-secret.json');
      const before = await readFile(file, 'utf8');
      onTestFinished(() => writeFile(file, before));
      await writeFile(file, JSON.stringify(withOtherKeys(before)));
      await stack().insert(mail(`without a key by ${provider}`, provider));
      await expect(stack().settled(`without a key by ${provider}`)).resolves.toMatchObject({ status: 'failed' });

      for (const count of [{ Sent: 1 }, { NotSent: 1 }, { Retried: 1 }, { NotSent: 1, UnauthorizedHandovers: 1 }]) {
        await soon(ofProvider).toContainEqual(expect.objectContaining(count));
      }
    },
  );

  // When all was done that these tests do, in whichever order: all is written that alarms and the dashboard look at, as
  // they name it, and no line that counts has an address, a subject or a content.
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

/** A line is written a little after what it is about. */
function soon<Found>(look: () => Promise<Found>) {
  return expect.poll(look, { timeout: 15_000 });
}

const countsSchema = z.looseObject({ Provider: z.string(), Retried: z.number().optional() });

/** The lines of a function that count, in order. */
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

function withOtherKeys(text: string) {
  const secret = secretSchema.parse(JSON.parse(text));
  return {
    ...secret,
    sendgridApiKey: 'SG.another',
    customersMailCloudSmtp: { ...secret.customersMailCloudSmtp, password: 'another' },
  };
}
