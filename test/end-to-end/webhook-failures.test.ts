import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { API_KEY, post, runningStack, signatureHeaders, until } from './running-stack.ts';

const stack = runningStack();
afterEach(() => {
  stack().storage.plan = () => undefined;
});

const bounce = (messageId: string, number = 0) => ({
  email: `secret-address-${number}@example.jp`,
  timestamp: Math.floor(Date.now() / 1000),
  event: 'bounce',
  type: 'bounce',
  reason: '550 5.1.1 secret reason',
  sg_event_id: `${messageId}-${number}`,
  sg_message_id: `${messageId}.recvd-1`,
});
const bounces = (messageId: string, entries = 1) => ({
  event_type: 'bounces',
  event: {
    bounces: Array.from({ length: entries }, (_, i) => ({
      created: '2026-11-01 10:00:00',
      messageId: `<${messageId}@example.com>`,
      apiData: '',
      status: '2',
      reason: '550 5.1.1 secret reason',
      subject: 'secret subject',
      from: 'shop@example.com',
      to: `secret-address-${i}@example.jp`,
    })),
  },
});

describe('authentication first', () => {
  test('without a right credential nothing is asked of a table', async () => {
    const sendGrid = stack().local.outputs['SendGridWebhookUrl'] ?? '';
    const customersMailCloud = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify([bounce('refused')]);
    const isReceiver = ({ caller }: { caller: string }) => caller.startsWith('Receive');
    stack().storage.calls.length = 0;
    for (const answer of [
      await post(sendGrid, body, { headers: json }),
      await post(sendGrid, body, { headers: { ...json, ...signatureHeaders(`${body} `) } }),
      await post(customersMailCloud, JSON.stringify({ ...bounces('refused'), api_key: 'wrong' }), { headers: json }),
      await post(customersMailCloud, JSON.stringify(bounces('refused')), {
        headers: { ...json, authorization: 'Bearer wrong' },
      }),
    ]) {
      expect(answer).toMatchObject({ status: 401 });
    }
    expect(stack().storage.calls.filter(isReceiver)).toEqual([]);
  });

  test('opens and clicks cost no request either', async () => {
    stack().storage.calls.length = 0;
    const events = ['open', 'click', 'unsubscribe', 'group_unsubscribe', 'group_resubscribe'].map((event) => ({
      ...bounce('o'),
      event,
    }));
    await expect(stack().postSendGrid(events)).resolves.toMatchObject({ status: 200, body: { ignored: 5 } });
    expect(stack().storage.calls.filter(({ caller }) => caller === 'ReceiveSendGrid')).toEqual([]);
  });
});

describe('while storage is down', () => {
  const down = () => {
    stack().storage.plan = ({ caller }) => (caller.startsWith('Re') ? 'reset' : undefined);
  };

  test('SendGrid is asked to send again, in time, and what it sends again is complete', async () => {
    down();
    const startedAtMs = Date.now();
    const events = Array.from({ length: 30 }, (_, i) => bounce('down', i));
    const answer = await stack().postSendGrid(events);
    expect(answer).toMatchObject({ status: 503, body: { error: expect.stringMatching(/send it again/) } });
    // Not a measurement: SendGrid would not wait longer than this for an answer.
    expect(Date.now() - startedAtMs).toBeLessThan(10_000);

    stack().storage.plan = () => undefined;
    await expect(stack().postSendGrid(events)).resolves.toMatchObject({ status: 200, body: { recorded: 30 } });
    expect(await stack().bounces('down')).toHaveLength(30);
  });

  test("Customers Mail Cloud's post is kept, and recorded when storage is back", async () => {
    down();
    await expect(stack().postCustomersMailCloud(bounces('spilled', 3))).resolves.toEqual({
      status: 200,
      body: { spilled: true },
    });
    stack().storage.plan = () => undefined;
    const rows = await until('the spilled post to be recorded', async () => {
      const found = await stack().bounces('<spilled@example.com>');
      return found.length === 3 ? found : undefined;
    });
    expect(rows).toMatchObject([{ outcome: 'bounced' }, { outcome: 'bounced' }, { outcome: 'bounced' }]);
    await until('the message to be gone', async () => {
      const left = await stack().local.queues.get('SpillQueue')?.messages();
      return left?.length === 0 || undefined;
    });
  });

  test('storage that hangs is not waited for', async () => {
    stack().storage.plan = ({ caller }) => (caller === 'ReceiveSendGrid' ? 'hang' : undefined);
    const startedAtMs = Date.now();
    await expect(stack().postSendGrid([bounce('hangs')])).resolves.toMatchObject({ status: 503 });
    expect(Date.now() - startedAtMs).toBeLessThan(10_000);
  });
});

test('no log line has a secret, an address or a word of a mail; each request has one', async () => {
  await stack().postSendGrid([bounce('logged')]);
  await stack().postCustomersMailCloud(bounces('logged'));
  for (const name of ['ReceiveSendGrid', 'ReceiveCustomersMailCloud', 'RecordSpilledPosts']) {
    const log = await readFile(join(stack().dir, 'logs', `${name}.log`), 'utf8');
    expect(log).not.toMatch(/secret-|secret reason|secret subject|@example/);
    expect(log).not.toContain(API_KEY);
  }
  const requests =
    (await readFile(join(stack().dir, 'logs/ReceiveSendGrid.log'), 'utf8')).match(
      /\{"level".*"message":"webhook".*\}/g,
    ) ?? [];
  const line = JSON.parse(requests.at(-1) ?? '{}');
  expect(line).toMatchObject({
    level: 'info',
    status: 200,
    received: 1,
    recorded: 1,
    bodyBytes: expect.any(Number),
    requestId: expect.any(String),
  });
});
