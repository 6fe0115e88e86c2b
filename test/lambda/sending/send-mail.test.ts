import type { SQSRecord } from 'aws-lambda';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { CLAIM_MARGIN_MS, RESERVE_MS } from '../../../lambda/sending/invocation.ts';
import { RETRY_FOR_MS } from '../../../lambda/sending/next-step.ts';
import { whyStuck } from '../../../lambda/sending/stuck.ts';
import { senderAtWork } from './sender-at-work.ts';
import { recordOf } from './sender-servers.ts';

let at: Awaited<ReturnType<typeof senderAtWork>>;
beforeAll(async () => {
  at = await senderAtWork();
});
beforeEach(async () => {
  at.api.answer = () => undefined;
  at.proxy.plan = () => undefined;
  await at.retries.reset();
  // Longer than the sender remembers what one test taught it about a provider.
  aheadMs += 5 * MINUTE_MS;
  const { now } = Date;
  const spy = vi.spyOn(Date, 'now').mockImplementation(() => now() + aheadMs);
  onTestFinished(() => spy.mockRestore());
});

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** How far ahead the clock of the tests is. */
let aheadMs = 0;

const clock = {
  advance(ms: number) {
    aheadMs += ms;
  },
  /** Moves the clock to the last planned attempt, and makes the attempt. */
  async nextAttempt() {
    const planned = at.retries.put.at(-1)?.nextAttemptAtMs ?? 0;
    // SQS delays by whole seconds, up to 15 minutes. On a busy machine the message may be put seconds after its time was planned.
    const waitMs = Math.min(planned - Date.now() + 10_000, 15 * MINUTE_MS);
    if (waitMs > 0) aheadMs += waitMs;
    await at.deliverRetries();
  },
  /** Lets time pass in steps, and delivers after each step what is due. */
  async pass(ms: number, stepMs: number) {
    for (let passed = 0; passed < ms; passed += stepMs) {
      aheadMs += stepMs;
      await at.deliverRetries();
    }
  },
};

let count = 0;
const unique = (name: string) => `${name}-${++count}`;
const letter = (id: string, change: object = {}) => ({
  id,
  from: 'shop@example.com',
  to: `${id}@example.jp`,
  subject: 'S',
  content: 'C',
  ...change,
});
const mailsTo = (id: string) => at.handedOver.filter((to) => to === `${id}@example.jp`).length;
const logRowsOf = async (id: string) => (await at.sentLog()).filter((row) => row['mailId'] === id);
const storyOf = async (id: string) => {
  const [log] = await logRowsOf(id);
  return (await at.sentLog()).filter((row) => row['messageId'] === log?.['messageId'] && row['state']);
};
const bouncesOf = async (id: string) => (await at.bounces()).filter((row) => row['mailId'] === id);

async function waiting(name: string, change: object = {}) {
  const item = letter(unique(name), change);
  await at.put(item);
  return { id: item.id, record: recordOf(item) };
}

describe('streams deliver at least once, but a mail is sent once', () => {
  test('a record is repeated, in the same batch and in another', async () => {
    const { id, record } = await waiting('twice');
    expect(await at.deliver([record, record])).toEqual([]);
    expect(await at.deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toHaveLength(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
  });

  test('ten concurrent invocations', async () => {
    const { id, record } = await waiting('ten');
    const answers = await Promise.all(Array.from({ length: 10 }, () => at.deliver([record])));
    expect(answers.flat()).toEqual([]);
    expect(mailsTo(id)).toBe(1);
  });

  test('a record whose item is claimed leaves the stream, and its mail is sent after the claim has lapsed', async () => {
    const { id, record } = await waiting('held', {
      status: 'sending',
      attempts: 1,
      sendingUntil: new Date(Date.now() + MINUTE_MS).toISOString(),
    });
    expect(await at.deliver([record])).toEqual([]);
    expect(at.retries.put).toHaveLength(1);
    await at.deliverRetries();
    expect(mailsTo(id)).toBe(0);
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 2 });
    expect(at.retries.waiting()).toBe(0);
  });

  test('or is not sent, if the other invocation has sent it by then', async () => {
    const { id, record } = await waiting('held', {
      status: 'sending',
      attempts: 1,
      sendingUntil: new Date(Date.now() + MINUTE_MS).toISOString(),
    });
    await at.deliver([record]);
    await at.put(letter(id, { status: 'sent' }));
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(0);
    expect(at.retries.waiting()).toBe(0);
  });

  test('nothing waits for a claim that was typed by hand and never ends', async () => {
    const { record } = await waiting('typed', { status: 'sending', sendingUntil: '2999-01-01T00:00:00.000Z' });
    expect(await at.deliver([record])).toEqual([]);
    expect(at.retries.waiting()).toBe(0);
  });

  test('after a lapsed claim a mail is sent by SMTP again, with the same Message-ID and one log row', async () => {
    const { id, record } = await waiting('smtp', { provider: 'customers-mail-cloud' });
    await at.deliver([record]);
    const first = await at.mail(id);
    await at.put({
      ...letter(id, { provider: 'customers-mail-cloud' }),
      status: 'sending',
      attempts: 1,
      sendingUntil: '2020-01-01T00:00:00.000Z',
    });
    await at.deliver([record]);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 2, messageId: first?.['messageId'] });
    expect(at.smtp.messages.filter(({ recipients }) => recipients.includes(`${id}@example.jp`))).toHaveLength(2);
    expect(await logRowsOf(id)).toHaveLength(1);
  });

  test('a mail that was tried five times without an answer fails', async () => {
    const { id, record } = await waiting('given-up', {
      status: 'sending',
      attempts: 5,
      sendingUntil: '2020-01-01T00:00:00.000Z',
    });
    expect(await at.deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(0);
    expect(await at.mail(id)).toMatchObject({
      status: 'failed',
      attempts: 5,
      error: expect.stringMatching(/tried 5 times without an answer.*delete the attribute status/),
    });
  });
});

describe('after a crash, the repeated delivery continues with the item:', () => {
  /** The invocation that receives a message claims its item, and then does nothing more, as if it had crashed. */
  async function crashAtNextAttempt(id: string) {
    clock.advance(5 * MINUTE_MS);
    const [message] = await at.retries.receive();
    if (message === undefined) return expect.fail('No message is due');
    let isHandedOver = false;
    at.proxy.plan = ({ action }) => (isHandedOver && action === 'UpdateItem' ? 'error 500' : undefined);
    at.api.answer = () => {
      isHandedOver = true;
      return { status: 500 };
    };
    at.retries.refuses = true;
    expect(await at.deliverMessages([message])).toEqual([message.messageId]);
    at.retries.refuses = false;
    at.proxy.plan = () => undefined;
    at.api.answer = () => undefined;
    expect(await at.mail(id)).toMatchObject({ status: 'sending', sendingUntil: expect.stringMatching(/^20/) });
    // The message is visible again.
    clock.advance(20 * MINUTE_MS);
    await at.deliverRetries();
  }
  async function openBreaker() {
    at.api.answer = () => ({ status: 503 });
    const down = await Promise.all([1, 2, 3].map(() => waiting('down')));
    await at.deliver(down.map(({ record }) => record));
    await at.retries.reset();
  }

  test('a record, while its provider defers other mails', async () => {
    const sendingUntil = new Date(Date.now() + MINUTE_MS).toISOString();
    const { id, record } = await waiting('crashed', { status: 'sending', attempts: 1, sendingUntil });
    await openBreaker();
    await at.deliver([record]);
    at.api.answer = () => undefined;
    await clock.pass(10 * MINUTE_MS, MINUTE_MS);
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 2 });
  });

  test('a message of an item that could not be written', async () => {
    await openBreaker();
    const { id, record } = await waiting('unwritten');
    at.proxy.plan = ({ action }) => (action === 'UpdateItem' ? 'error 500' : undefined);
    await at.deliver([record]);
    expect(await at.mail(id)).not.toHaveProperty('status');
    at.proxy.plan = () => undefined;
    await crashAtNextAttempt(id);
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 2 });
  });

  test('a message whose claim could not be released', async () => {
    let isDeferred = false;
    at.api.answer = () => {
      isDeferred = true;
      return { status: 500 };
    };
    at.proxy.plan = ({ action }) => (isDeferred && action === 'UpdateItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('unlucky');
    expect(await at.deliver([record])).toEqual([]);
    await crashAtNextAttempt(id);
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 3 });
  });
});

describe('a mail that a provider defers leaves the stream and waits in RetryQueue', () => {
  const failTimes = (times: number, status: number, headers: Record<string, string> = {}) => {
    const before = at.api.requests;
    at.api.answer = ({ number }) => (number - before <= times ? { status, headers } : undefined);
  };

  test.each([500, 502, 503, 429])('%i, twice', async (status) => {
    failTimes(2, status);
    const { id, record } = await waiting('later');
    expect(await at.deliver([record])).toEqual([]);
    const [sending] = at.retries.put;
    const deferred = await at.mail(id);
    expect(deferred).toMatchObject({
      status: 'sending',
      attempts: 0,
      nextAttemptAt: sending?.tickets[0],
      error: expect.stringMatching(/^SendGrid could not take the mail now \(\d+\); it will be tried again$/),
    });
    expect(deferred).not.toHaveProperty('sendingUntil');
    expect(Date.parse(String(deferred?.['nextAttemptAt']))).toBeLessThanOrEqual(Date.now() + 1_000);
    expect(whyStuck(deferred ?? {}, Date.now())).toBeUndefined();

    await clock.nextAttempt();
    expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(1);
    const sent = await at.mail(id);
    expect(sent).toMatchObject({ status: 'sent', attempts: 1 });
    for (const name of ['nextAttemptAt', 'sendingUntil', 'error']) expect(sent).not.toHaveProperty(name);
    expect(at.retries.waiting()).toBe(0);
  });

  test('429: no request before the time that SendGrid names', async () => {
    const before = at.api.requests;
    const reset = Math.ceil(Date.now() / 1000) + 40 * 60;
    failTimes(1, 429, { 'x-ratelimit-reset': String(reset) });
    const { id, record } = await waiting('limited');
    await at.deliver([record]);
    await clock.pass(39 * MINUTE_MS, MINUTE_MS);
    expect(at.api.requests - before).toBe(1);
    await clock.pass(2 * MINUTE_MS, 10_000);
    expect(mailsTo(id)).toBe(1);
    // The first message, and one for each 15 minutes, the longest delay of SQS.
    expect(at.retries.put.length).toBeLessThanOrEqual(4);
  });

  test('a connection that breaks', async () => {
    const before = at.api.requests;
    at.api.answer = ({ number, socket }) => {
      if (number - before <= 2) socket.destroy();
      return undefined;
    };
    const { id, record } = await waiting('broken');
    expect(await at.deliver([record])).toEqual([]);
    await clock.nextAttempt();
    await clock.nextAttempt();
    expect(await at.mail(id)).toMatchObject({ status: 'sent' });
  });

  test('it is not sent, it delays no other mail, and no attempt counts', async () => {
    const [first, middle, last] = [await waiting('first'), await waiting('middle'), await waiting('last')];
    at.api.answer = ({ to }) => (to.startsWith('middle') ? { status: 500 } : undefined);
    const batch = [first.record, middle.record, last.record];
    expect(await at.deliver(batch)).toEqual([]);
    expect([mailsTo(first.id), mailsTo(last.id)]).toEqual([1, 1]);
    for (let attempt = 1; attempt <= 7; attempt++) {
      await clock.nextAttempt();
      // A stream may deliver a record again. Its message stays in RetryQueue, only once.
      expect(await at.deliver(batch)).toEqual([]);
      expect(at.retries.waiting()).toBe(1);
      expect(await at.mail(middle.id)).toMatchObject({ status: 'sending', attempts: 0 });
    }
    at.api.answer = () => undefined;
    await clock.nextAttempt();
    expect(await at.mail(middle.id)).toMatchObject({ status: 'sent', attempts: 1 });
    expect([mailsTo(first.id), mailsTo(middle.id), mailsTo(last.id)]).toEqual([1, 1, 1]);
    expect(at.retries.waiting()).toBe(0);
  });

  test('attempts without an answer still count', async () => {
    at.api.answer = () => ({ status: 500 });
    const { id, record } = await waiting('crashed-before', {
      status: 'sending',
      attempts: 4,
      sendingUntil: '2020-01-01T00:00:00.000Z',
    });
    await at.deliver([record]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await clock.nextAttempt();
      expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 4 });
    }
  });

  test.each(['refuses them', 'breaks the connection'])(
    'if the provider %s, few requests are made, and the rest of the batch waits, each item with the reason',
    async (how) => {
      at.api.answer = ({ to, socket }) => {
        if (to.startsWith('other')) return undefined;
        if (how !== 'refuses them') socket.destroy();
        return { status: 503 };
      };
      const held = await Promise.all(Array.from({ length: 60 }, () => waiting('held')));
      const other = await waiting('other', { provider: 'customers-mail-cloud' });
      const before = at.api.requests;
      expect(await at.deliver([...held, other].map(({ record }) => record))).toEqual([]);
      // As many handovers as run at the same time before the first answer.
      expect(at.api.requests - before).toBeLessThanOrEqual(25 + 3);
      expect(await at.mail(other.id)).toMatchObject({ status: 'sent' });
      expect(at.retries.waiting()).toBe(60);
      for (const { id } of held) {
        expect(await at.mail(id)).toMatchObject({
          status: 'sending',
          attempts: 0,
          nextAttemptAt: expect.stringMatching(/^20/),
          error: expect.stringMatching(/^SendGrid could not .*; it will be tried again$/),
        });
      }

      at.api.answer = () => undefined;
      clock.advance(2 * MINUTE_MS);
      await at.deliverRetries();
      expect(held.map(({ id }) => mailsTo(id))).toEqual(held.map(() => 1));
      expect(await logRowsOf(held[59]?.id ?? '')).toHaveLength(1);
    },
  );

  test("it fails six hours after the item was put, with the provider's message", async () => {
    at.api.answer = () => ({ status: 503, body: '{"errors":[{"message":"down for maintenance"}]}' });
    const { id, record } = await waiting('in-outage');
    const before = at.api.requests;
    await at.deliver([record]);
    await clock.pass(2 * MINUTE_MS, 1_000);
    await clock.pass(RETRY_FOR_MS - 3 * MINUTE_MS, MINUTE_MS);
    expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
    await clock.pass(2 * MINUTE_MS, MINUTE_MS);
    const item = (await at.mail(id)) ?? {};
    expect(item).toMatchObject({
      status: 'failed',
      attempts: 1,
      error:
        'SendGrid could not take the mail now (503: down for maintenance). To send it again, fix this and delete the attribute status',
    });
    expect(whyStuck(item, Date.now())).toBe('failed');
    expect(at.retries.waiting()).toBe(0);
    // Ten in the first quarter of an hour, then four to eight per hour.
    expect(at.api.requests - before).toBeGreaterThanOrEqual(9 + 4 * 5);
    expect(at.api.requests - before).toBeLessThanOrEqual(11 + 8 * 6);
  });

  test('if the provider asks for more time than that, the last attempt is after six hours', async () => {
    const reset = Math.ceil(Date.now() / 1000) + 24 * 3_600;
    at.api.answer = () => ({ status: 429, headers: { 'x-ratelimit-reset': String(reset) } });
    const { id, record } = await waiting('limited-for-a-day');
    const before = at.api.requests;
    await at.deliver([record]);
    await clock.pass(RETRY_FOR_MS + MINUTE_MS, MINUTE_MS);
    expect(await at.mail(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/\(429\)/) });
    expect(at.api.requests - before).toBe(2);
  });

  test('if RetryQueue does not accept it, the record is delivered again, and nothing is lost', async () => {
    at.api.answer = () => ({ status: 500 });
    at.retries.refuses = true;
    const { id, record } = await waiting('unqueued');
    expect(await at.deliver([record])).toEqual([record.dynamodb?.SequenceNumber]);
    at.retries.refuses = false;
    at.api.answer = () => undefined;
    expect(await at.deliver([record])).toEqual([]);
    clock.advance(5 * MINUTE_MS);
    await at.deliverRetries();
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent' });
  });

  test('if the invocation has too little time left, it goes to RetryQueue without an attempt', async () => {
    const { id, record } = await waiting('no-time');
    expect(await at.deliver([record], -1)).toEqual([]);
    expect(mailsTo(id)).toBe(0);
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(1);
  });

  test('a message of RetryQueue that is delivered twice, even at the same time, sends one mail', async () => {
    failTimes(1, 500);
    const { id, record } = await waiting('queued-twice');
    await at.deliver([record]);
    clock.advance(5_000);
    const batch = await at.retries.receive();
    expect(batch).toHaveLength(1);
    await Promise.all([at.deliverMessages(batch), at.deliverMessages(batch), at.deliverMessages(batch)]);
    await at.deliverMessages(batch);
    clock.advance(5 * MINUTE_MS);
    await at.deliverRetries();
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toHaveLength(1);
    expect(at.retries.waiting()).toBe(1);
  });

  test.each([
    ['deleted it, and the stream has sent it', undefined],
    ['wrote another one', 'on hold'],
  ])('if somebody changed the status of the item meanwhile (%s), the queue message does nothing', async (_, status) => {
    failTimes(1, 500);
    const { id, record } = await waiting('changed');
    await at.deliver([record]);
    const edited = letter(id, status === undefined ? {} : { status });
    await at.put(edited);
    if (status === undefined) await at.deliver([recordOf(edited)]);
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(status === undefined ? 1 : 0);
    expect(await at.mail(id)).toMatchObject({ status: status ?? 'sent' });
    expect(at.retries.waiting()).toBe(0);
  });

  test('if somebody deleted the item meanwhile, nothing is sent', async () => {
    failTimes(1, 500);
    const { id, record } = await waiting('removed');
    await at.deliver([record]);
    await at.remove(id);
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(0);
    expect(await at.mail(id)).toBeUndefined();
  });

  test('by SMTP, every attempt has the same Message-ID, and the one log row has the time of the first attempt', async () => {
    const { id, record } = await waiting('first-put-off', { provider: 'customers-mail-cloud', to: 'busy@example.jp' });
    await at.deliver([record]);
    const [first] = await logRowsOf(id);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await clock.nextAttempt();
      expect(await logRowsOf(id)).toEqual([first]);
      expect(await storyOf(id)).toEqual([]);
    }
    await at.put({ ...(await at.mail(id)), to: `${id}@example.jp` });
    await clock.nextAttempt();
    const [message] = at.smtp.messages.filter(({ recipients }) => recipients.includes(`${id}@example.jp`));
    expect(message?.source.toString()).toContain(String(first?.['messageId']));
    expect(await at.mail(id)).toMatchObject({ status: 'sent', messageId: first?.['messageId'], attempts: 1 });
  });

  test('if somebody changes the provider meanwhile, the mail is logged under the id of the new provider', async () => {
    const { id, record } = await waiting('switched', { provider: 'customers-mail-cloud', to: 'busy@example.jp' });
    await at.deliver([record]);
    await at.put({ ...(await at.mail(id)), provider: 'sendgrid', to: `${id}@example.jp` });
    await clock.nextAttempt();
    const item = await at.mail(id);
    expect(item).toMatchObject({ status: 'sent', messageId: expect.stringMatching(id) });
    expect((await logRowsOf(id)).map(({ messageId }) => messageId)).toContain(item?.['messageId']);
  });

  test('an unreadable message fails, and is left to the failure queue', async () => {
    const message = { messageId: 'bad', body: '{"id":', eventSource: 'aws:sqs' } as SQSRecord;
    expect(await at.deliverMessages([message])).toEqual(['bad']);
  });
});

test('a mail that the SMTP server keeps deferring fails, and only then the story names the recipients', async () => {
  const { id, record } = await waiting('server-busy', { provider: 'customers-mail-cloud', to: 'busy@example.jp' });
  await at.deliver([record]);
  for (let attempt = 1; attempt <= 5; attempt++) {
    await clock.nextAttempt();
    expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
    expect(await storyOf(id)).toEqual([]);
  }
  clock.advance(RETRY_FOR_MS);
  await at.deliverRetries();
  expect(await at.mail(id)).toMatchObject({
    status: 'failed',
    attempts: 1,
    error: expect.stringMatching(/451 4\.3\.0/),
  });
  expect((await storyOf(id)).map(({ state, recipient }) => [state, recipient])).toEqual([
    ['failed', 'busy@example.jp'],
  ]);
});

test('a mail that mailboxes defer fails after five attempts within 36 minutes, with a reply for each recipient', async () => {
  const startedAtMs = Date.now();
  const { id, record } = await waiting('put-off', {
    provider: 'customers-mail-cloud',
    to: 'later@example.jp, refused+put-off@example.jp',
  });
  await at.deliver([record]);
  for (let attempt = 1; attempt < 5; attempt++) {
    expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: attempt });
    expect(await storyOf(id)).toEqual([]);
    await clock.nextAttempt();
  }
  expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(36 * MINUTE_MS);
  expect(Date.now() - startedAtMs).toBeLessThan(37 * MINUTE_MS);
  expect(await at.mail(id)).toMatchObject({ status: 'failed', attempts: 5 });
  expect((await bouncesOf(id)).map(({ toEmail, bounceClass, smtpCode }) => [toEmail, bounceClass, smtpCode])).toEqual(
    expect.arrayContaining([
      ['later@example.jp', 'soft', '450'],
      ['refused+put-off@example.jp', 'hard', '550'],
    ]),
  );
  expect(at.retries.waiting()).toBe(0);
});

test.each(['full@example.jp, refused+first@example.jp', 'refused+second@example.jp, full@example.jp'])(
  'if all recipients are refused, each recipient has its own reason: %s',
  async (to) => {
    const { id, record } = await waiting('each-its-own', { provider: 'customers-mail-cloud', to });
    expect(await at.deliver([record])).toEqual([]);
    expect(await at.mail(id)).toMatchObject({ status: 'failed', attempts: 1 });
    const bounces = await bouncesOf(id);
    expect(
      bounces.map(({ toEmail, bounceClass, enhancedStatusCode }) => [toEmail, bounceClass, enhancedStatusCode]).sort(),
    ).toEqual([
      ['full@example.jp', 'soft', '5.2.2'],
      [expect.stringMatching(/^refused/), 'hard', '5.1.1'],
    ]);
  },
);

test('if the sender address is refused, the mail fails, the error says what to change, and Bounce gets no row', async () => {
  const { id, record } = await waiting('from', { provider: 'customers-mail-cloud', from: 'unknown@example.com' });
  expect(await at.deliver([record])).toEqual([]);
  expect(await at.mail(id)).toMatchObject({
    status: 'failed',
    error:
      'Customers Mail Cloud refused the sender address (550 5.7.1 Not your address): change the attribute from, or let the account send as unknown@example.com. To send it again, fix this and delete the attribute status',
  });
  expect(await bouncesOf(id)).toEqual([]);
});

test('if SendGrid accepts without a message id, the item is sent, and says that its events cannot be joined', async () => {
  at.api.answer = () => ({ status: 202 });
  const before = at.api.requests;
  const { id, record } = await waiting('nameless');
  expect(await at.deliver([record])).toEqual([]);
  expect(await at.deliver([record])).toEqual([]);
  expect(at.api.requests - before).toBe(1);
  const item = await at.mail(id);
  expect(item).toMatchObject({
    status: 'sent',
    attempts: 1,
    sentAt: expect.stringMatching(/^20/),
    error: 'Sent, but its provider named no message id: its events cannot be joined',
  });
  expect(item).not.toHaveProperty('messageId');
  expect(await logRowsOf(id)).toEqual([]);
});

describe('a mail that can never be sent fails at once, with a readable error', () => {
  test.each([
    [
      400,
      '{"errors":[{"message":"The from address does not match a verified Sender Identity.","field":"from"}]}',
      /^SendGrid refused the mail \(400: from: The from address does not match a verified Sender Identity\.\): verify this sender address .*\. To send it again, fix this and delete the attribute status$/,
    ],
    [413, '<html>413</html>', /^SendGrid refused the mail \(413\)/],
    [
      401,
      '{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked"}]}',
      /^SendGrid refused the API key \(401: .*\): check sendgridApiKey of the sender secret/,
    ],
    [403, '{"errors":[{"message":"access forbidden"}]}', /^SendGrid refused the API key \(403/],
  ])('%i', async (status, body, words) => {
    at.api.answer = () => ({ status, body });
    const before = at.api.requests;
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    const { id, record } = await waiting('refused-by-api');
    expect(await at.deliver([record])).toEqual([]);
    expect(await at.mail(id)).toMatchObject({ status: 'failed', attempts: 1, error: expect.stringMatching(words) });
    expect(at.api.requests - before).toBe(1);
    const counted = written.mock.calls
      .map(([line]) => String(line))
      .filter((line) => line.includes('"UnauthorizedHandovers":1'));
    expect(counted).toHaveLength(status === 401 || status === 403 ? 1 : 0);
  });

  test.each(['', 'x'])('a text that is too long is cut between two characters: %j', async (start) => {
    at.api.answer = () => ({
      status: 400,
      body: JSON.stringify({ errors: [{ message: start + '😀'.repeat(2_000) }] }),
    });
    const { id, record } = await waiting('refused-at-length');
    await at.deliver([record]);
    const error = String((await at.mail(id))?.['error']);
    expect(error).toMatch(/^SendGrid refused the mail \(400: x?(😀)+/);
    expect(error).toHaveLength(2_000);
    expect(error.slice(0, -1)).not.toMatch(/\uFFFD/);
    expect(error.isWellFormed()).toBe(true);
  });

  test('if only one recipient is refused by SMTP: sent, with a failed event, and error names the recipient', async () => {
    const { id, record } = await waiting('partly', {
      provider: 'customers-mail-cloud',
      to: 'refused-1@example.jp, taken@example.jp',
    });
    expect(await at.deliver([record])).toEqual([]);
    const mail = await at.mail(id);
    expect(mail).toMatchObject({
      status: 'sent',
      error: expect.stringMatching(/^Sent, but refused-1@example\.jp was refused: 550 5\.1\.1 No such user here/),
    });
    const story = (await at.sentLog()).filter((row) => row['messageId'] === mail?.['messageId']);
    expect(story.map(({ state, recipient }) => [state, recipient])).toEqual([
      ['failed', 'refused-1@example.jp'],
      [undefined, undefined],
    ]);
    expect((await at.bounces()).filter((row) => row['mailId'] === id)).toMatchObject([
      {
        fullMessageId: `${mail?.['messageId']}#refused-1@example.jp`,
        messageId: mail?.['messageId'],
        event: 'failed',
        outcome: 'failed',
        bounceClass: 'hard',
        smtpCode: '550',
        enhancedStatusCode: '5.1.1',
        toEmail: 'refused-1@example.jp',
        fromEmail: 'shop@example.com',
        subject: 'S',
        matched: true,
      },
    ]);
  });

  test('if the account is refused: failed, and Bounce gets no row', async () => {
    at.account.locked = true;
    onTestFinished(() => {
      at.account.locked = false;
    });
    const { id, record } = await waiting('locked', { provider: 'customers-mail-cloud' });
    expect(await at.deliver([record])).toEqual([]);
    expect(await at.mail(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/535.*Account locked/) });
    expect(await bouncesOf(id)).toEqual([]);
  });

  test('if all recipients are refused: failed, and the story names them', async () => {
    const { id, record } = await waiting('wholly', {
      provider: 'customers-mail-cloud',
      to: 'refused-3@example.jp, refused-4@example.jp',
    });
    expect(await at.deliver([record])).toEqual([]);
    expect(await at.mail(id)).toMatchObject({ status: 'failed' });
    const [log] = await logRowsOf(id);
    const story = (await at.sentLog()).filter((row) => row['messageId'] === log?.['messageId'] && row['state']);
    expect(story.map(({ recipient }) => recipient)).toEqual(['refused-3@example.jp', 'refused-4@example.jp']);
    const bounces = (await at.bounces()).filter((row) => row['mailId'] === id);
    expect(bounces.map(({ toEmail, smtpCode }) => [toEmail, smtpCode]).toSorted()).toEqual([
      ['refused-3@example.jp', '550'],
      ['refused-4@example.jp', '550'],
    ]);
  });
});

describe('while storage fails', () => {
  test('after the 202 the log row is written as soon as it can be, and the mail is not sent again', async () => {
    let failures = 4;
    at.proxy.plan = ({ action }) => (action === 'PutItem' && failures-- > 0 ? 'error 500' : undefined);
    const { id, record } = await waiting('log-late');
    expect(await at.deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toHaveLength(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent' });
  });

  /** Advances the clock by `ms` when the API answers the first request. */
  function timePassesWhileItIsSent(ms: number) {
    let isFirst = true;
    at.api.answer = () => {
      if (isFirst) clock.advance(ms);
      isFirst = false;
      return undefined;
    };
  }

  test('if the log row cannot be written, the mail is not sent again, and the item says what is missing', async () => {
    const timeMs = 20_000;
    // Logging is given up in the middle of the reserve. The test waits for the last second before that.
    timePassesWhileItIsSent(timeMs + RESERVE_MS / 2 - 1_000);
    at.proxy.plan = ({ action }) => (action === 'PutItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('never-logged');
    expect(await at.deliver([record], timeMs)).toEqual([]);
    expect(await at.deliver([record], timeMs)).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toEqual([]);
    expect(await at.mail(id)).toMatchObject({
      status: 'sent',
      attempts: 1,
      messageId: expect.stringMatching(id),
      error: 'Sent, but it could not be logged: its events will be unmatched',
    });
  });

  test('if the log row must come first but cannot be written, attempts do not count, and later the mail is sent', async () => {
    at.proxy.plan = ({ action }) => (action === 'PutItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('log-first', { provider: 'customers-mail-cloud' });
    await at.deliver([record]);
    for (let n = 0; n < 6; n++) await clock.nextAttempt();
    expect(await at.mail(id)).toMatchObject({
      status: 'sending',
      attempts: 0,
      error: 'Cannot log the mail, so it was not sent: InternalServerError; it will be tried again',
    });

    at.proxy.plan = () => undefined;
    await clock.nextAttempt();
    expect(await logRowsOf(id)).toHaveLength(1);
    const mail = await at.mail(id);
    expect(mail).toMatchObject({ status: 'sent', attempts: 1 });
    expect(mail).not.toHaveProperty('error');
  });

  test('if storage accepts no write after the 202 until the invocation ends, the mail is sent twice, as after a crash', async () => {
    const timeMs = 20_000;
    timePassesWhileItIsSent(timeMs + RESERVE_MS - 1_000);
    at.proxy.plan = ({ action }) => (at.api.requests > before && action !== 'GetItem' ? 'error 500' : undefined);
    const before = at.api.requests;
    const { id, record } = await waiting('outage');
    expect(await at.deliver([record], timeMs)).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 1 });

    at.proxy.plan = () => undefined;
    clock.advance(CLAIM_MARGIN_MS + 5_000);
    await at.deliverRetries();
    expect(mailsTo(id)).toBe(2);
    expect(await logRowsOf(id)).toHaveLength(1);
    const mail = await at.mail(id);
    expect(mail).toMatchObject({ status: 'sent', attempts: 2 });
    expect(mail).not.toHaveProperty('error');
  });

  test('an item that cannot be claimed for an hour costs few requests, and is sent as soon as it can be claimed', async () => {
    at.proxy.plan = ({ action }) => (action === 'UpdateItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('unclaimed');
    const before = at.proxy.calls.length;
    expect(await at.deliver([record])).toEqual([]);
    await clock.pass(MINUTE_MS, 1_000);
    await clock.pass(HOUR_MS - MINUTE_MS, MINUTE_MS);
    // Each attempt is three requests of the SDK.
    expect(at.proxy.calls.length - before).toBeLessThanOrEqual(20 * 3);
    expect(at.retries.waiting()).toBe(1);

    at.proxy.plan = () => undefined;
    await clock.pass(20 * MINUTE_MS, MINUTE_MS);
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
  });

  test('a claim that cannot be released lapses, and then the mail is sent once', async () => {
    let isDeferred = false;
    at.api.answer = () => {
      isDeferred = true;
      return { status: 500 };
    };
    at.proxy.plan = ({ action }) => (isDeferred && action === 'UpdateItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('not-given-back');
    expect(await at.deliver([record])).toEqual([]);
    expect(await at.mail(id)).toMatchObject({ status: 'sending', sendingUntil: expect.stringMatching(/^20/) });
    at.proxy.plan = () => undefined;
    at.api.answer = () => undefined;
    clock.advance(10_000);
    await at.deliverRetries();
    expect(mailsTo(id)).toBe(0);
    clock.advance(2 * MINUTE_MS);
    await at.deliverRetries();
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent' });
    expect(at.retries.waiting()).toBe(0);
  });

  test.each(['throttle', 'error 500', 'reset', 'lost answer'] as const)(
    '%s at each call: one mail, one log row, and the item is sent',
    async (fault) => {
      for (const k of [1, 2, 3]) {
        const { id, record } = await waiting(`fault-${k}`);
        const before = at.proxy.calls.length;
        at.proxy.plan = () => (at.proxy.calls.length - before === k ? fault : undefined);
        expect(await at.deliver([record])).toEqual([]);
        for (let again = 0; at.retries.waiting() > 0 && again < 5; again++) await clock.nextAttempt();
        expect({ k, mails: mailsTo(id), logRows: (await logRowsOf(id)).length, item: await at.mail(id) }).toMatchObject(
          { k, mails: 1, logRows: 1, item: { status: 'sent' } },
        );
      }
    },
  );
});

describe('the log gives the reason for a retry, and no content of the mail:', () => {
  const mail = { to: 'secret-address@example.jp', subject: 'secret subject', content: 'secret content' };
  const quoting = '{"errors":[{"message":"secret-address@example.jp: secret subject"}]}';
  test.each([
    ['the provider', undefined, /"status":"sending","attempts":0,"nextAttemptAt":"20.*"Retried":1/],
    ['an error of storage', 'throttle', /ProvisionedThroughputExceededException","httpStatus":400.*"Retried":1/],
    ['a broken connection', 'reset', /"code":"ECONNRESET".*"Retried":1/],
  ] as const)('%s', async (_, fault, words) => {
    at.api.answer = () => ({ status: 500, body: quoting });
    at.proxy.plan = () => fault;
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    const { record } = await waiting('in-log', mail);
    expect(await at.deliver([record])).toEqual([]);
    const lines = written.mock.calls.map(([line]) => String(line));
    expect(lines.filter((line) => line.includes('Retried"'))).toEqual([expect.stringMatching(words)]);
    expect(lines.join()).not.toMatch(/secret/);
  });

  test('a retry more than an hour after the item was put counts as late', async () => {
    at.api.answer = () => ({ status: 500 });
    const { record } = await waiting('late');
    clock.advance(HOUR_MS + 1_000);
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    await at.deliver([record]);
    expect(written.mock.calls.join()).toContain('"RetriedLate":1');
  });
});

test('the claim of an item with no room for an error is still released, and its attempts do not count', async () => {
  at.api.answer = () => ({ status: 500, body: JSON.stringify({ errors: [{ message: 'x'.repeat(2_000) }] }) });
  const { id, record } = await waiting('full', { padding: 'x'.repeat(400 * 1024 - 1_500) });
  await at.deliver([record]);
  for (let n = 0; n < 6; n++) await clock.nextAttempt();
  expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
  at.api.answer = () => undefined;
  await clock.nextAttempt();
  expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
});

test('an item with no room for a status is left alone, and counts as not sent', async () => {
  const { id, record } = await waiting('too-full', { padding: 'x'.repeat(400 * 1024 - 90) });
  const written = vi.spyOn(process.stdout, 'write');
  onTestFinished(() => written.mockRestore());
  expect(await at.deliver([record])).toEqual([]);
  expect(written.mock.calls.join()).toMatch(/too large to get a status.*"NotSent":1/);
  expect(await at.mail(id)).not.toHaveProperty('status');
  expect(at.retries.waiting()).toBe(0);
});

test('if two invocations take over a lapsed claim, the slower one waits', async () => {
  const { id, record } = await waiting('contested', { status: 'sending', sendingUntil: '2026-01-01T00:00:00.000Z' });
  const quicker = { status: 'sending', sendingUntil: new Date(Date.now() + MINUTE_MS).toISOString() };
  at.proxy.plan = async ({ body }) => {
    if (JSON.stringify(body).includes('2026-01-01')) await at.put(letter(id, quicker));
    return undefined;
  };
  expect(await at.deliver([record])).toEqual([]);
  expect(mailsTo(id)).toBe(0);
  at.proxy.plan = () => undefined;
  await at.put(letter(id, { status: 'sent' }));
  await clock.nextAttempt();
  expect(mailsTo(id)).toBe(0);
});

test('an edit during the handover loses neither the edit nor the result', async () => {
  const { id, record } = await waiting('edited');
  at.api.answer = async () => {
    await at.put({
      ...letter(id, { subject: 'Edited' }),
      note: 'mine',
      ...pick(await at.mail(id), ['status', 'sendingUntil', 'attempts']),
    });
    return undefined;
  };
  await at.deliver([record]);
  expect(await at.mail(id)).toMatchObject({ status: 'sent', subject: 'Edited', note: 'mine' });
});

test.each(['', null])('a status that was emptied to %j counts as missing', async (status) => {
  const { id, record } = await waiting('emptied', { status, messageId: 'of last time', attempts: 5 });
  expect(await at.deliver([record, record])).toEqual([]);
  expect(mailsTo(id)).toBe(1);
  expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 1, messageId: expect.stringMatching(id) });
});

test.each(['sent', 'failed', 'done by hand', 1])('a status %j is left alone', async (status) => {
  const { id, record } = await waiting('other-status', { status });
  expect(await at.deliver([record])).toEqual([]);
  expect(mailsTo(id)).toBe(0);
  expect(await at.mail(id)).toMatchObject({ status });
});

test('if the item was deleted, nothing is sent, and no item is written', async () => {
  const id = unique('gone');
  expect(await at.deliver([recordOf(letter(id))])).toEqual([]);
  expect(mailsTo(id)).toBe(0);
  expect(await at.mail(id)).toBeUndefined();
});

function pick(row: Record<string, unknown> | undefined, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, row?.[name]]));
}
