import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  API_KEY,
  BEARER_TOKEN,
  killProcessesOf,
  post,
  runningStack,
  signatureHeaders,
  until,
} from './running-stack.ts';

// A short visibility timeout: a message that could not be recorded is received again soon, not after six minutes.
const stack = runningStack({ timing: { visibilityTimeoutMs: 300 } });
const queue = () => stack().local.queues.get('EventQueue') ?? expect.unreachable();
const queueIsEmpty = () => until('the queue to be empty', async () => queue().messages().length === 0 || undefined);
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

describe('posts that are not recorded', () => {
  test('without a right credential nothing is queued', async () => {
    const sendGrid = stack().local.outputs['SendGridWebhookUrl'] ?? '';
    const customersMailCloud = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify([bounce('refused')]);
    const sending = vi.spyOn(queue(), 'send');
    onTestFinished(() => sending.mockRestore());
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
    expect(sending).not.toHaveBeenCalled();
  });

  test('an empty post is accepted and not queued', async () => {
    const sending = vi.spyOn(queue(), 'send');
    onTestFinished(() => sending.mockRestore());
    await expect(stack().postSendGrid([])).resolves.toEqual({ status: 200, body: { received: 0 } });
    expect(sending).not.toHaveBeenCalled();
  });

  test('opens and clicks need no request to a table', async () => {
    await queueIsEmpty();
    stack().storage.calls.length = 0;
    const events = ['open', 'click', 'unsubscribe', 'group_unsubscribe', 'group_resubscribe'].map((event) => ({
      ...bounce('only-opened'),
      event,
    }));
    await expect(stack().postSendGrid(events)).resolves.toEqual({ status: 200, body: { received: 5 } });
    await queueIsEmpty();
    // A second recorder may still be at work on a post of another test.
    const about = ({ body }: { body: unknown }) => JSON.stringify(body).includes('only-opened');
    expect(stack().storage.calls.filter(about)).toEqual([]);
  });
});

describe('while storage is down', () => {
  const down = () => {
    stack().storage.plan = ({ caller }) => (caller === 'RecordEvents' ? 'reset' : undefined);
  };
  const attempts = () => stack().storage.calls.filter(({ caller }) => caller === 'RecordEvents').length;

  test('posts of both providers are accepted, and recorded when storage is back', async () => {
    down();
    const before = attempts();
    const events = Array.from({ length: 30 }, (_, i) => bounce('down', i));
    await expect(stack().postSendGrid(events)).resolves.toEqual({ status: 200, body: { received: 30 } });
    await expect(stack().postCustomersMailCloud(bounces('down', 3))).resolves.toEqual({
      status: 200,
      body: { received: 3 },
    });
    await until('an attempt to fail', async () => attempts() > before || undefined);
    expect(await stack().bounces('down')).toEqual([]);

    stack().storage.plan = () => undefined;
    await queueIsEmpty();
    expect(await stack().bounces('down')).toHaveLength(30);
    expect(await stack().bounces('<down@example.com>')).toHaveLength(3);
  });

  test('the receiver does not wait for storage that hangs', async () => {
    stack().storage.plan = ({ caller }) => (caller === 'RecordEvents' ? 'hang' : undefined);
    await expect(stack().postSendGrid([bounce('hangs')])).resolves.toMatchObject({ status: 200 });
    stack().storage.plan = () => undefined;
    await queueIsEmpty();
    expect(await stack().bounces('hangs')).toHaveLength(1);
  });

  test('a message whose recorder is killed is recorded by the next one', async () => {
    let hanging = 0;
    stack().storage.plan = ({ caller }) => (caller === 'RecordEvents' && ++hanging === 1 ? 'hang' : undefined);
    await expect(stack().postSendGrid([bounce('killed')])).resolves.toMatchObject({ status: 200 });
    await until('the recorder to hang', async () => hanging > 0 || undefined);
    await killProcessesOf('RecordEvents');
    await queueIsEmpty();
    expect(await stack().bounces('killed')).toHaveLength(1);
  });
});

describe('while the queue fails', () => {
  type Outcome = 'taken' | 'refused' | 'taken, and the answer lost' | 'taken, and the process killed';

  /** Counts the requests that send to the queue, until the test ends. */
  function whenSending(outcomeOf: (request: number) => Outcome) {
    const send = queue().send.bind(queue());
    const spy = vi.spyOn(queue(), 'send').mockImplementation(async (body, options) => {
      const outcome = outcomeOf(spy.mock.calls.length);
      if (outcome === 'refused') throw new Error(outcome);
      const message = await send(body, options);
      if (outcome === 'taken, and the process killed') await killProcessesOf('ReceiveCustomersMailCloud');
      if (outcome !== 'taken') throw new Error(outcome);
      return message;
    });
    onTestFinished(() => spy.mockRestore());
    return spy;
  }

  const status = async (messageId: string) => {
    const answer = await fetch(stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${BEARER_TOKEN}` },
      body: JSON.stringify(bounces(messageId, 3)),
    });
    return answer.status;
  };

  /** Bounce rows and events by key, without the fields that depend on the time of receipt. */
  async function rowsOf(messageId: string) {
    await queueIsEmpty();
    const id = `<${messageId}@example.com>`;
    const rows = [...(await stack().bounces(id)), ...(await stack().story(id))];
    const byKey = rows.map(({ receivedAt: _, expiresAt: __, ...row }) => [
      `${row['entry']} ${row['fullMessageId']}`,
      row,
    ]);
    return Object.fromEntries(byKey);
  }

  test.each<[string, number, number, (request: number) => Outcome]>([
    ['accepts nothing: the post must be sent again', 503, 0, () => 'refused'],
    ['accepts it at the third request', 200, 6, (request) => (request < 3 ? 'refused' : 'taken')],
    ['accepts it twice', 200, 6, (request) => (request === 1 ? 'taken, and the answer lost' : 'taken')],
    ['accepts it but never answers', 503, 6, () => 'taken, and the answer lost'],
    ['accepts it, and the receiver is killed', 502, 6, () => 'taken, and the process killed'],
  ])('and it %s', async (how, answered, rows, outcomeOf) => {
    const messageId = how.replaceAll(/\W/g, '-');
    const sending = whenSending(outcomeOf);
    expect(await status(messageId)).toBe(answered);
    const before = await rowsOf(messageId);
    // Three failures, each also in the story.
    expect(Object.keys(before)).toHaveLength(rows);

    sending.mockRestore();
    expect(await status(messageId)).toBe(200);
    const after = await rowsOf(messageId);
    expect(Object.keys(after)).toHaveLength(6);
    if (rows > 0) expect(after).toEqual(before);
  });

  test('the answer asks SendGrid to send the post again', async () => {
    const sending = whenSending(() => 'refused');
    await expect(stack().postSendGrid([bounce('again')])).resolves.toEqual({
      status: 503,
      body: { error: 'Cannot queue the post: the queue did not accept it; send it again' },
    });
    sending.mockRestore();
  });
});

test('each request has one log line', async () => {
  // No other request has as many events.
  const counts = [41, 42, 43];
  for (const count of counts) {
    await stack().postSendGrid(Array.from({ length: count }, (_, i) => bounce(`logged-${count}`, i)));
  }
  const lines = await until('the lines to be written', async () => {
    const log = await readFile(join(stack().dir, 'logs/ReceiveSendGrid.log'), 'utf8');
    const all = (log.match(/\{"level".*"message":"webhook".*\}$/gm) ?? []).map((line) => JSON.parse(line));
    return all.some(({ received }) => received === 43) ? all : undefined;
  });
  expect(lines.filter(({ received }) => counts.includes(received))).toMatchObject(
    counts.map((count) => ({
      level: 'info',
      status: 200,
      received: count,
      bodyBytes: expect.any(Number),
      requestId: expect.any(String),
    })),
  );
});

// After all tests of the file.
afterAll(async () => {
  for (const name of ['ReceiveSendGrid', 'ReceiveCustomersMailCloud', 'RecordEvents']) {
    const log = await readFile(join(stack().dir, 'logs', `${name}.log`), 'utf8');
    expect(log, 'a secret, an address or a word of a mail').not.toMatch(
      /secret-|secret reason|secret subject|@example/,
    );
    expect(log).not.toContain(API_KEY);
  }
});
