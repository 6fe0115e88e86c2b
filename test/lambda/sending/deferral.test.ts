/** Deferrals: what the provider does not take now waits in RetryQueue, for up to six hours. */
import type { SQSRecord } from 'aws-lambda';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { RETRY_FOR_MS } from '../../../lambda/sending/next-step.ts';
import { whyStuck } from '../../../lambda/sending/stuck.ts';
import { recordOf } from './sender-servers.ts';
import { HOUR_MS, MINUTE_MS, senderWithClock } from './sender-with-clock.ts';

const { at, clock, letter, waiting, mailsTo, logRowsOf, storyOf, bouncesOf } = senderWithClock();

describe('a mail that a provider defers leaves the stream and waits in RetryQueue', () => {
  const failTimes = (times: number, status: number, headers: Record<string, string> = {}) => {
    const before = at().api.requests;
    at().api.answer = ({ number }) => (number - before <= times ? { status, headers } : undefined);
  };

  test.each([500, 502, 503, 429])('%i, twice', async (status) => {
    failTimes(2, status);
    const { id, record } = await waiting('later');
    expect(await at().deliver([record])).toEqual([]);
    const [sending] = at().retries.put;
    const deferred = await at().mail(id);
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
    expect(await at().mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(1);
    const sent = await at().mail(id);
    expect(sent).toMatchObject({ status: 'sent', attempts: 1 });
    for (const name of ['nextAttemptAt', 'sendingUntil', 'error']) expect(sent).not.toHaveProperty(name);
    expect(at().retries.waiting()).toBe(0);
  });

  test('429: no request before the time that SendGrid names', async () => {
    const before = at().api.requests;
    const reset = Math.ceil(Date.now() / 1000) + 40 * 60;
    failTimes(1, 429, { 'x-ratelimit-reset': String(reset) });
    const { id, record } = await waiting('limited');
    await at().deliver([record]);
    await clock.pass(39 * MINUTE_MS, MINUTE_MS);
    expect(at().api.requests - before).toBe(1);
    await clock.pass(2 * MINUTE_MS, 10_000);
    expect(mailsTo(id)).toBe(1);
    // The first message, and one for each 15 minutes, the longest delay of SQS.
    expect(at().retries.put.length).toBeLessThanOrEqual(4);
  });

  test('a connection that breaks', async () => {
    const before = at().api.requests;
    at().api.answer = ({ number, socket }) => {
      if (number - before <= 2) socket.destroy();
      return undefined;
    };
    const { id, record } = await waiting('broken');
    expect(await at().deliver([record])).toEqual([]);
    await clock.nextAttempt();
    await clock.nextAttempt();
    expect(await at().mail(id)).toMatchObject({ status: 'sent' });
  });

  test('it is not sent, it delays no other mail, and no attempt counts', async () => {
    const [first, middle, last] = [await waiting('first'), await waiting('middle'), await waiting('last')];
    at().api.answer = ({ to }) => (to.startsWith('middle') ? { status: 500 } : undefined);
    const batch = [first.record, middle.record, last.record];
    expect(await at().deliver(batch)).toEqual([]);
    expect([mailsTo(first.id), mailsTo(last.id)]).toEqual([1, 1]);
    for (let attempt = 1; attempt <= 7; attempt++) {
      await clock.nextAttempt();
      // A stream may deliver a record again. Its message stays in RetryQueue, only once.
      expect(await at().deliver(batch)).toEqual([]);
      expect(at().retries.waiting()).toBe(1);
      expect(await at().mail(middle.id)).toMatchObject({ status: 'sending', attempts: 0 });
    }
    at().api.answer = () => undefined;
    await clock.nextAttempt();
    expect(await at().mail(middle.id)).toMatchObject({ status: 'sent', attempts: 1 });
    expect([mailsTo(first.id), mailsTo(middle.id), mailsTo(last.id)]).toEqual([1, 1, 1]);
    expect(at().retries.waiting()).toBe(0);
  });

  test('attempts without an answer still count', async () => {
    at().api.answer = () => ({ status: 500 });
    const { id, record } = await waiting('crashed-before', {
      status: 'sending',
      attempts: 4,
      sendingUntil: '2020-01-01T00:00:00.000Z',
    });
    await at().deliver([record]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await clock.nextAttempt();
      expect(await at().mail(id)).toMatchObject({ status: 'sending', attempts: 4 });
    }
  });

  test.each(['refuses them', 'breaks the connection'])(
    'if the provider %s, few requests are made, and the rest of the batch waits, each item with the reason',
    async (how) => {
      at().api.answer = ({ to, socket }) => {
        if (to.startsWith('other')) return undefined;
        if (how !== 'refuses them') socket.destroy();
        return { status: 503 };
      };
      const held = await Promise.all(Array.from({ length: 60 }, () => waiting('held')));
      const other = await waiting('other', { provider: 'customers-mail-cloud' });
      const before = at().api.requests;
      expect(await at().deliver([...held, other].map(({ record }) => record))).toEqual([]);
      // As many handovers as run at the same time before the first answer.
      expect(at().api.requests - before).toBeLessThanOrEqual(25 + 3);
      expect(await at().mail(other.id)).toMatchObject({ status: 'sent' });
      expect(at().retries.waiting()).toBe(60);
      for (const { id } of held) {
        expect(await at().mail(id)).toMatchObject({
          status: 'sending',
          attempts: 0,
          nextAttemptAt: expect.stringMatching(/^20/),
          error: expect.stringMatching(/^SendGrid could not .*; it will be tried again$/),
        });
      }

      at().api.answer = () => undefined;
      clock.advance(2 * MINUTE_MS);
      await at().deliverRetries();
      expect(held.map(({ id }) => mailsTo(id))).toEqual(held.map(() => 1));
      expect(await logRowsOf(held[59]?.id ?? '')).toHaveLength(1);
    },
  );

  test("it fails six hours after the item was put, with the provider's message", async () => {
    at().api.answer = () => ({ status: 503, body: '{"errors":[{"message":"down for maintenance"}]}' });
    const { id, record } = await waiting('in-outage');
    const before = at().api.requests;
    await at().deliver([record]);
    await clock.pass(2 * MINUTE_MS, 1_000);
    await clock.pass(RETRY_FOR_MS - 3 * MINUTE_MS, MINUTE_MS);
    expect(await at().mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
    await clock.pass(2 * MINUTE_MS, MINUTE_MS);
    const item = (await at().mail(id)) ?? {};
    expect(item).toMatchObject({
      status: 'failed',
      attempts: 1,
      error:
        'SendGrid could not take the mail now (503: down for maintenance). To send it again, fix this and delete the attribute status',
    });
    expect(whyStuck(item, Date.now())).toBe('failed');
    expect(at().retries.waiting()).toBe(0);
    // Ten in the first quarter of an hour, then four to eight per hour.
    expect(at().api.requests - before).toBeGreaterThanOrEqual(9 + 4 * 5);
    expect(at().api.requests - before).toBeLessThanOrEqual(11 + 8 * 6);
  });

  test('if the provider asks for more time than that, the last attempt is after six hours', async () => {
    const reset = Math.ceil(Date.now() / 1000) + 24 * 3_600;
    at().api.answer = () => ({ status: 429, headers: { 'x-ratelimit-reset': String(reset) } });
    const { id, record } = await waiting('limited-for-a-day');
    const before = at().api.requests;
    await at().deliver([record]);
    await clock.pass(RETRY_FOR_MS + MINUTE_MS, MINUTE_MS);
    expect(await at().mail(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/\(429\)/) });
    expect(at().api.requests - before).toBe(2);
  });

  test('if RetryQueue does not accept it, the record is delivered again, and nothing is lost', async () => {
    at().api.answer = () => ({ status: 500 });
    at().retries.refuses = true;
    const { id, record } = await waiting('unqueued');
    expect(await at().deliver([record])).toEqual([record.dynamodb?.SequenceNumber]);
    at().retries.refuses = false;
    at().api.answer = () => undefined;
    expect(await at().deliver([record])).toEqual([]);
    clock.advance(5 * MINUTE_MS);
    await at().deliverRetries();
    expect(mailsTo(id)).toBe(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent' });
  });

  test('if the invocation has too little time left, it goes to RetryQueue without an attempt', async () => {
    const { id, record } = await waiting('no-time');
    expect(await at().deliver([record], -1)).toEqual([]);
    expect(mailsTo(id)).toBe(0);
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(1);
  });

  test('a message of RetryQueue that is delivered twice, even at the same time, sends one mail', async () => {
    failTimes(1, 500);
    const { id, record } = await waiting('queued-twice');
    await at().deliver([record]);
    clock.advance(5_000);
    const batch = await at().retries.receive();
    expect(batch).toHaveLength(1);
    await Promise.all([at().deliverMessages(batch), at().deliverMessages(batch), at().deliverMessages(batch)]);
    await at().deliverMessages(batch);
    clock.advance(5 * MINUTE_MS);
    await at().deliverRetries();
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toHaveLength(1);
    expect(at().retries.waiting()).toBe(1);
  });

  test.each([
    ['deleted it, and the stream has sent it', undefined],
    ['wrote another one', 'on hold'],
  ])('if somebody changed the status of the item meanwhile (%s), the queue message does nothing', async (_, status) => {
    failTimes(1, 500);
    const { id, record } = await waiting('changed');
    await at().deliver([record]);
    const edited = letter(id, status === undefined ? {} : { status });
    await at().put(edited);
    if (status === undefined) await at().deliver([recordOf(edited)]);
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(status === undefined ? 1 : 0);
    expect(await at().mail(id)).toMatchObject({ status: status ?? 'sent' });
    expect(at().retries.waiting()).toBe(0);
  });

  test('if somebody deleted the item meanwhile, nothing is sent', async () => {
    failTimes(1, 500);
    const { id, record } = await waiting('removed');
    await at().deliver([record]);
    await at().remove(id);
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(0);
    expect(await at().mail(id)).toBeUndefined();
  });

  test('by SMTP, every attempt has the same Message-ID, and the one log row has the time of the first attempt', async () => {
    const { id, record } = await waiting('first-put-off', { provider: 'customers-mail-cloud', to: 'busy@example.jp' });
    await at().deliver([record]);
    const [first] = await logRowsOf(id);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await clock.nextAttempt();
      expect(await logRowsOf(id)).toEqual([first]);
      expect(await storyOf(id)).toEqual([]);
    }
    await at().put({ ...(await at().mail(id)), to: `${id}@example.jp` });
    await clock.nextAttempt();
    const [message] = at().smtp.messages.filter(({ recipients }) => recipients.includes(`${id}@example.jp`));
    expect(message?.source.toString()).toContain(String(first?.['messageId']));
    expect(await at().mail(id)).toMatchObject({ status: 'sent', messageId: first?.['messageId'], attempts: 1 });
  });

  test('if somebody changes the provider meanwhile, the mail is logged under the id of the new provider', async () => {
    const { id, record } = await waiting('switched', { provider: 'customers-mail-cloud', to: 'busy@example.jp' });
    await at().deliver([record]);
    await at().put({ ...(await at().mail(id)), provider: 'sendgrid', to: `${id}@example.jp` });
    await clock.nextAttempt();
    const item = await at().mail(id);
    expect(item).toMatchObject({ status: 'sent', messageId: expect.stringMatching(id) });
    expect((await logRowsOf(id)).map(({ messageId }) => messageId)).toContain(item?.['messageId']);
  });

  test('an unreadable message fails, and is left to the failure queue', async () => {
    const message = { messageId: 'bad', body: '{"id":', eventSource: 'aws:sqs' } as SQSRecord;
    expect(await at().deliverMessages([message])).toEqual(['bad']);
  });
});

test('a mail that the SMTP server keeps deferring fails, and only then the story names the recipients', async () => {
  const { id, record } = await waiting('server-busy', { provider: 'customers-mail-cloud', to: 'busy@example.jp' });
  await at().deliver([record]);
  for (let attempt = 1; attempt <= 5; attempt++) {
    await clock.nextAttempt();
    expect(await at().mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
    expect(await storyOf(id)).toEqual([]);
  }
  clock.advance(RETRY_FOR_MS);
  await at().deliverRetries();
  expect(await at().mail(id)).toMatchObject({
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
  await at().deliver([record]);
  for (let attempt = 1; attempt < 5; attempt++) {
    expect(await at().mail(id)).toMatchObject({ status: 'sending', attempts: attempt });
    expect(await storyOf(id)).toEqual([]);
    await clock.nextAttempt();
  }
  expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(36 * MINUTE_MS);
  expect(Date.now() - startedAtMs).toBeLessThan(37 * MINUTE_MS);
  expect(await at().mail(id)).toMatchObject({ status: 'failed', attempts: 5 });
  expect((await bouncesOf(id)).map(({ toEmail, bounceClass, smtpCode }) => [toEmail, bounceClass, smtpCode])).toEqual(
    expect.arrayContaining([
      ['later@example.jp', 'soft', '450'],
      ['refused+put-off@example.jp', 'hard', '550'],
    ]),
  );
  expect(at().retries.waiting()).toBe(0);
});

describe('the log gives the reason for a retry, and no content of the mail:', () => {
  const mail = { to: 'secret-address@example.jp', subject: 'secret subject', content: 'secret content' };
  const quoting = '{"errors":[{"message":"secret-address@example.jp: secret subject"}]}';
  test.each([
    ['the provider', undefined, /"status":"sending","attempts":0,"nextAttemptAt":"20.*"Retried":1/],
    ['an error of storage', 'throttle', /ProvisionedThroughputExceededException","httpStatus":400.*"Retried":1/],
    ['a broken connection', 'reset', /"code":"ECONNRESET".*"Retried":1/],
  ] as const)('%s', async (_, fault, words) => {
    at().api.answer = () => ({ status: 500, body: quoting });
    at().proxy.plan = () => fault;
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    const { record } = await waiting('in-log', mail);
    expect(await at().deliver([record])).toEqual([]);
    const lines = written.mock.calls.map(([line]) => String(line));
    expect(lines.filter((line) => line.includes('Retried"'))).toEqual([expect.stringMatching(words)]);
    expect(lines.join()).not.toMatch(/secret/);
  });

  test('a retry more than an hour after the item was put counts as late', async () => {
    at().api.answer = () => ({ status: 500 });
    const { record } = await waiting('late');
    clock.advance(HOUR_MS + 1_000);
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    await at().deliver([record]);
    expect(written.mock.calls.join()).toContain('"RetriedLate":1');
  });
});
