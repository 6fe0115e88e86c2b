import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { CLAIM_MARGIN_MS, RESERVE_MS, RETRY_FOR_MS } from '../../../lambda/sending/invocation.ts';
import { whyStuck } from '../../../lambda/sending/stuck.ts';
import { resources, synthesized } from '../../lib/synthesized.ts';
import { senderAtWork } from './sender-at-work.ts';
import { recordOf } from './sender-servers.ts';

let at: Awaited<ReturnType<typeof senderAtWork>>;
beforeAll(async () => {
  at = await senderAtWork();
});
beforeEach(() => {
  at.api.answer = () => undefined;
  at.proxy.plan = () => undefined;
});

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

async function waiting(name: string, change: object = {}) {
  const item = letter(unique(name), change);
  await at.put(item);
  return { id: item.id, record: recordOf(item) };
}

describe('streams deliver at least once, and a mail is sent once', () => {
  test('a record that comes again, a batch that comes again, and a record twice in a batch', async () => {
    const { id, record } = await waiting('twice');
    expect(await at.deliver([record, record])).toEqual([]);
    expect(await at.deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toHaveLength(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
  });

  test('ten invocations at once', async () => {
    const { id, record } = await waiting('ten');
    const answers = await Promise.all(Array.from({ length: 10 }, () => at.deliver([record])));
    expect(answers.flat()).toEqual([]);
    expect(mailsTo(id)).toBe(1);
  });

  test("a record that meets another's live claim, with no time to wait for it, is delivered again", async () => {
    const { id, record } = await waiting('held', {
      status: 'sending',
      attempts: 1,
      sendingUntil: new Date(Date.now() + 60_000).toISOString(),
    });
    expect(await at.deliver([record], 300)).toEqual([record.dynamodb?.SequenceNumber]);
    expect(mailsTo(id)).toBe(0);
  });

  test('a record whose invocation was killed waits for the claim to lapse, and its mail is sent again', async () => {
    const { id, record } = await waiting('killed', {
      status: 'sending',
      attempts: 1,
      sendingUntil: new Date(Date.now() + 600).toISOString(),
    });
    expect(await at.deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 2 });
  });

  test('by SMTP it goes out again under the same Message-ID, and has one log row', async () => {
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

  test('what was begun five times without coming to an end is given up', async () => {
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
      error: expect.stringMatching(/begun 5 times.*delete status/),
    });
  });

  test('retries outlast the claim', () => {
    const { timeoutMs, retries, recordAgeMs } = streamOfTheTemplate();
    expect(retries).toBe(AS_OFTEN_AS_IT_TAKES);
    expect(recordAgeMs).toBeGreaterThan(timeoutMs + CLAIM_MARGIN_MS);
  });
});

describe('what may pass is tried again', () => {
  const firstTimes = (times: number, status: number, headers: Record<string, string> = {}) => {
    const before = at.api.requests;
    at.api.answer = ({ number }) => (number - before <= times ? { status, headers } : undefined);
  };

  test.each([500, 502, 503, 429])('%i, twice', async (status) => {
    firstTimes(2, status);
    const { id, record } = await waiting('later');
    expect(await at.deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
  });

  test('429: not before the time that SendGrid names', async () => {
    const reset = Math.ceil(Date.now() / 1000) + 1;
    firstTimes(1, 429, { 'x-ratelimit-reset': String(reset) });
    const { record } = await waiting('limited');
    await at.deliver([record]);
    expect(Date.now()).toBeGreaterThanOrEqual(reset * 1000);
  });

  test('a connection that breaks', async () => {
    const before = at.api.requests;
    at.api.answer = ({ number, socket }) => {
      if (number - before <= 2) socket.destroy();
      return undefined;
    };
    const { id, record } = await waiting('broken');
    expect(await at.deliver([record])).toEqual([]);
    expect(await at.mail(id)).toMatchObject({ status: 'sent' });
  });

  test('as long as it does not pass, its record comes again, and none of the others is sent twice', async () => {
    const [first, middle, last] = [await waiting('first'), await waiting('middle'), await waiting('last')];
    at.api.answer = ({ to }) => (to.startsWith('middle') ? { status: 500 } : undefined);
    const batch = [first.record, middle.record, last.record];
    // More often than a mail may be begun without coming to an end: what is put off is not counted.
    for (let delivery = 1; delivery <= 7; delivery++) {
      expect(await at.deliver(batch, 300)).toEqual([middle.record.dynamodb?.SequenceNumber]);
      expect(await at.mail(middle.id)).toMatchObject({
        status: 'sending',
        attempts: 0,
        error: expect.stringMatching(/\(500\).*it will be tried again/),
      });
    }
    at.api.answer = () => undefined;
    expect(await at.deliver(batch, 300)).toEqual([]);
    expect(await at.mail(middle.id)).toMatchObject({ status: 'sent', attempts: 1 });
    expect([mailsTo(first.id), mailsTo(middle.id), mailsTo(last.id)]).toEqual([1, 1, 1]);
  });

  test('what is put off leaves the beginnings that came to no end as many as they were', async () => {
    at.api.answer = () => ({ status: 500 });
    const { id, record } = await waiting('crashed-before', {
      status: 'sending',
      attempts: 4,
      sendingUntil: '2020-01-01T00:00:00.000Z',
    });
    for (let delivery = 1; delivery <= 3; delivery++) {
      expect(await at.deliver([record], 300)).toHaveLength(1);
      expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 4 });
    }
  });

  test.each([
    ['refuses them', 'sendgrid'],
    ['refuses them', 'customers-mail-cloud'],
    ['hangs', 'customers-mail-cloud'],
  ])('50 mails that SendGrid cannot take now, as it %s, hold up none for %s behind them', async (how, provider) => {
    let makeWell = () => {};
    const well = new Promise<undefined>((resolve) => {
      makeWell = () => resolve(undefined);
    });
    at.api.answer = ({ to }) => (to.startsWith('other') ? undefined : how === 'hangs' ? well : { status: 500 });
    const held = await Promise.all(Array.from({ length: 50 }, () => waiting('held')));
    const other = await waiting('other', { provider });
    const delivery = at.deliver([...held, other].map(({ record }) => record));
    await vi.waitFor(async () => expect(await at.mail(other.id)).toMatchObject({ status: 'sent' }), 15_000);
    expect(held.map(({ id }) => mailsTo(id))).toEqual(held.map(() => 0));

    at.api.answer = () => undefined;
    makeWell();
    expect(await delivery).toEqual([]);
    expect(held.map(({ id }) => mailsTo(id))).toEqual(held.map(() => 1));
  });

  test('but not for ever: then each is tried for a last time, not for long, and says why, and npm run resend finds it', async () => {
    at.api.answer = () => ({ status: 503, body: '{"errors":[{"message":"down for maintenance"}]}' });
    // Several times as many as are handed over at one time.
    const mails = await Promise.all(Array.from({ length: 60 }, () => waiting('in-outage')));
    const records = mails.map(({ record }) => record);
    expect(await at.deliver(records, 300)).toHaveLength(60);

    laterClock().laterMs = RETRY_FOR_MS;
    const before = at.api.requests;
    expect(await at.deliver(records, 120_000)).toEqual([]);
    // In 5 s there is time for five tries at most, in all of the invocation's for more.
    expect(at.api.requests - before).toBeLessThanOrEqual(records.length * 5);
    for (const { id } of mails) {
      const item = (await at.mail(id)) ?? {};
      expect(item).toMatchObject({
        status: 'failed',
        attempts: 1,
        error:
          'SendGrid could not take the mail now (503: down for maintenance). To send it again, mend this and delete status',
      });
      expect(whyStuck(item, Date.now())).toBe('failed');
    }
  });

  test('and the stream brings it until then, and as long again', () => {
    const { retries, recordAgeMs } = streamOfTheTemplate();
    expect(retries).toBe(AS_OFTEN_AS_IT_TAKES);
    expect(recordAgeMs).toBeGreaterThanOrEqual(2 * RETRY_FOR_MS);
  });
});

test('put off by the SMTP server until it is given up: failed, and only then the story says of whom', async () => {
  const { id, record } = await waiting('server-busy', { provider: 'customers-mail-cloud', to: 'busy@example.jp' });
  const storyOf = async () => {
    const [log] = await logRowsOf(id);
    return (await at.sentLog()).filter((row) => row['messageId'] === log?.['messageId'] && row['state']);
  };
  for (let delivery = 1; delivery <= 6; delivery++) {
    expect(await at.deliver([record], 300)).toEqual([record.dynamodb?.SequenceNumber]);
    expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
    expect(await storyOf()).toEqual([]);
  }
  laterClock().laterMs = RETRY_FOR_MS;
  expect(await at.deliver([record], 300)).toEqual([]);
  expect(await at.mail(id)).toMatchObject({
    status: 'failed',
    attempts: 1,
    error: expect.stringMatching(/451 4\.3\.0/),
  });
  expect((await storyOf()).map(({ state, recipient }) => [state, recipient])).toEqual([['failed', 'busy@example.jp']]);
});

test('a mailbox that waits holds up its shard for five deliveries: then failed, and the story says of whom', async () => {
  const { id, record } = await waiting('put-off', { provider: 'customers-mail-cloud', to: 'later@example.jp' });
  for (let attempt = 1; attempt < 5; attempt++) {
    expect(await at.deliver([record], 300)).toEqual([record.dynamodb?.SequenceNumber]);
    const [log] = await logRowsOf(id);
    expect((await at.sentLog()).filter((row) => row['messageId'] === log?.['messageId'])).toHaveLength(1);
  }
  expect(await at.deliver([record], 300)).toEqual([]);
  expect(await at.mail(id)).toMatchObject({ status: 'failed', attempts: 5 });
  const [log] = await logRowsOf(id);
  const story = (await at.sentLog()).filter((row) => row['messageId'] === log?.['messageId'] && row['state']);
  expect(story.map(({ state, recipient }) => [state, recipient])).toEqual([['failed', 'later@example.jp']]);
});

test('taken without a message id: sent, and the item says that its events cannot be joined', async () => {
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

describe('what will not pass ends at once, in words for a person', () => {
  test.each([
    [
      400,
      '{"errors":[{"message":"The from address does not match a verified Sender Identity.","field":"from"}]}',
      /^SendGrid refused the mail \(400: from: The from address does not match a verified Sender Identity\.\)\. To send it again, mend this and delete status$/,
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

  test('a recipient refused in an SMTP session, others taken: sent, with a failed event and its name in error', async () => {
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

  test('our own account refused: failed, and nothing is said of the recipients among the bounces', async () => {
    at.account.locked = true;
    onTestFinished(() => {
      at.account.locked = false;
    });
    const { id, record } = await waiting('locked', { provider: 'customers-mail-cloud' });
    expect(await at.deliver([record])).toEqual([]);
    expect(await at.mail(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/535.*Account locked/) });
    expect((await at.bounces()).filter((row) => row['mailId'] === id)).toEqual([]);
  });

  test('all recipients refused: failed, and the story says of whom', async () => {
    const { id, record } = await waiting('wholly', {
      provider: 'customers-mail-cloud',
      to: 'refused-1@example.jp, refused-2@example.jp',
    });
    expect(await at.deliver([record])).toEqual([]);
    expect(await at.mail(id)).toMatchObject({ status: 'failed' });
    const [log] = await logRowsOf(id);
    const story = (await at.sentLog()).filter((row) => row['messageId'] === log?.['messageId'] && row['state']);
    expect(story.map(({ recipient }) => recipient)).toEqual(['refused-1@example.jp', 'refused-2@example.jp']);
    const bounces = (await at.bounces()).filter((row) => row['mailId'] === id);
    expect(bounces.map(({ toEmail, smtpCode }) => [toEmail, smtpCode]).toSorted()).toEqual([
      ['refused-1@example.jp', '550'],
      ['refused-2@example.jp', '550'],
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

  /** From the API's answer on, so much time has passed. */
  function timePassesWhileItIsSent(ms: number) {
    const clock = laterClock();
    at.api.answer = () => {
      clock.laterMs = ms;
      return undefined;
    };
    return clock;
  }

  test('a log row that storage never takes: the mail is not sent again, and the item says what is missing', async () => {
    const retryMs = 20_000;
    // Logging is given up in the middle of the reserve; the last second of it is waited for here.
    timePassesWhileItIsSent(retryMs + RESERVE_MS / 2 - 1_000);
    at.proxy.plan = ({ action }) => (action === 'PutItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('never-logged');
    expect(await at.deliver([record], retryMs)).toEqual([]);
    expect(await at.deliver([record], retryMs)).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toEqual([]);
    expect(await at.mail(id)).toMatchObject({
      status: 'sent',
      attempts: 1,
      messageId: expect.stringMatching(id),
      error: 'Sent, but it could not be logged: its events will be unmatched',
    });
  });

  test('a log row that must come first and cannot: every delivery says so, none counts, and later the mail is sent', async () => {
    at.proxy.plan = ({ action }) => (action === 'PutItem' ? 'throttle' : undefined);
    const { id, record } = await waiting('log-first', { provider: 'customers-mail-cloud' });
    for (let n = 0; n < 6; n++) expect(await at.deliver([record], 300)).toEqual([record.dynamodb?.SequenceNumber]);
    expect(await at.mail(id)).toMatchObject({
      status: 'sending',
      attempts: 0,
      error: 'Cannot log the mail, so it was not sent: ProvisionedThroughputExceededException; it will be tried again',
    });

    at.proxy.plan = () => undefined;
    expect(await at.deliver([record])).toEqual([]);
    expect(await logRowsOf(id)).toHaveLength(1);
    const mail = await at.mail(id);
    expect(mail).toMatchObject({ status: 'sent', attempts: 1 });
    expect(mail).not.toHaveProperty('error');
  });

  test('storage that takes nothing after the 202 until the invocation ends: as after a crash, the mail is sent twice', async () => {
    const retryMs = 20_000;
    const clock = timePassesWhileItIsSent(retryMs + RESERVE_MS - 1_000);
    at.proxy.plan = ({ action }) => (at.api.requests > before && action !== 'GetItem' ? 'error 500' : undefined);
    const before = at.api.requests;
    const { id, record } = await waiting('outage');
    expect(await at.deliver([record], retryMs)).toEqual([record.dynamodb?.SequenceNumber]);
    expect(mailsTo(id)).toBe(1);
    expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 1 });

    at.proxy.plan = () => undefined;
    at.api.answer = () => undefined;
    clock.laterMs += CLAIM_MARGIN_MS;
    expect(await at.deliver([record], retryMs)).toEqual([]);
    expect(mailsTo(id)).toBe(2);
    expect(await logRowsOf(id)).toHaveLength(1);
    const mail = await at.mail(id);
    expect(mail).toMatchObject({ status: 'sent', attempts: 2 });
    expect(mail).not.toHaveProperty('error');
  });

  test.each(['throttle', 'error 500', 'reset', 'lost answer'] as const)(
    '%s at each call: one mail, one log row, and the item says so',
    async (fault) => {
      for (const k of [1, 2, 3]) {
        const { id, record } = await waiting(`fault-${k}`);
        const before = at.proxy.calls.length;
        at.proxy.plan = () => (at.proxy.calls.length - before === k ? fault : undefined);
        let left = await at.deliver([record]);
        for (let again = 0; left.length > 0 && again < 5; again++) left = await at.deliver([record]);
        expect({ k, mails: mailsTo(id), logRows: (await logRowsOf(id)).length, item: await at.mail(id) }).toMatchObject(
          { k, mails: 1, logRows: 1, item: { status: 'sent' } },
        );
      }
    },
  );
});

describe('the log says why a record comes again, and nothing of the mail:', () => {
  const far = '2999-01-01T00:00:00.000Z';
  const mail = { to: 'secret-address@example.jp', subject: 'secret subject', content: 'secret content' };
  const quoting = '{"errors":[{"message":"secret-address@example.jp: secret subject"}]}';
  test.each([
    ["another's claim", { status: 'sending', sendingUntil: far }, 300, undefined, `holds it until ${far}`],
    ['too little time', {}, -1, undefined, 'too little of the invocation is left'],
    ['the provider', {}, 300, undefined, 'Cannot send the item [^ ]+ now: its error says why'],
    ['an error of storage', {}, 300, 'throttle', 'ProvisionedThroughputExceededException","httpStatus":400'],
    ['a broken connection', {}, 300, 'reset', '"code":"ECONNRESET"'],
  ] as const)('%s', async (_, change, retryMs, fault, words) => {
    at.api.answer = () => ({ status: 500, body: quoting });
    at.proxy.plan = () => fault;
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    const { record } = await waiting('in-log', { ...mail, ...change });
    expect(await at.deliver([record], retryMs)).toEqual([record.dynamodb?.SequenceNumber]);
    const lines = written.mock.calls.map(([line]) => String(line));
    expect(lines.filter((line) => line.includes('Cannot finish a stream record'))).toEqual([
      expect.stringMatching(words),
    ]);
    expect(lines.join()).not.toMatch(/secret/);
  });
});

test('an item with no room for an error is given back all the same, and none of its beginnings is used up', async () => {
  at.api.answer = () => ({ status: 500, body: JSON.stringify({ errors: [{ message: 'x'.repeat(2_000) }] }) });
  const { id, record } = await waiting('full', { padding: 'x'.repeat(400 * 1024 - 1_500) });
  for (let n = 0; n < 6; n++) expect(await at.deliver([record], 300)).toEqual([record.dynamodb?.SequenceNumber]);
  expect(await at.mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
  at.api.answer = () => undefined;
  expect(await at.deliver([record])).toEqual([]);
  expect(await at.mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
});

test('of two that take over a lapsed claim the slower one waits for the quicker one', async () => {
  const { id, record } = await waiting('contested', { status: 'sending', sendingUntil: '2026-01-01T00:00:00.000Z' });
  const quicker = { status: 'sending', sendingUntil: '2999-01-01T00:00:00.000Z' };
  at.proxy.plan = async ({ body }) => {
    if (JSON.stringify(body).includes('2026-01-01')) await at.put(letter(id, quicker));
    return undefined;
  };
  const written = vi.spyOn(process.stdout, 'write');
  onTestFinished(() => written.mockRestore());
  expect(await at.deliver([record], 300)).toEqual([record.dynamodb?.SequenceNumber]);
  expect(written.mock.calls.join()).toContain(`holds it until ${quicker.sendingUntil}`);
  expect(mailsTo(id)).toBe(0);
});

test('an edit while it is being sent loses neither the edit nor the result', async () => {
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

test.each(['', null])('a status that was emptied to %j is none', async (status) => {
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

test('deleted while it waits: nothing is sent, and no item comes back', async () => {
  const id = unique('gone');
  expect(await at.deliver([recordOf(letter(id))])).toEqual([]);
  expect(mailsTo(id)).toBe(0);
  expect(await at.mail(id)).toBeUndefined();
});

/** Of an event source mapping's retries. */
const AS_OFTEN_AS_IT_TAKES = -1;

/** How long a delivery of the Mail table's stream may take, how often one is made again, and until when. */
function streamOfTheTemplate() {
  const template = synthesized();
  const timeoutMs = Number(resources(template, 'AWS::Lambda::Function')['SendMail']?.Properties['Timeout']) * 1000;
  const [mapping] = Object.values(resources(template, 'AWS::Lambda::EventSourceMapping')).filter(
    ({ Properties }) => JSON.stringify(Properties['FunctionName']) === '{"Ref":"SendMail"}',
  );
  return {
    timeoutMs,
    retries: Number(mapping?.Properties['MaximumRetryAttempts']),
    recordAgeMs: Number(mapping?.Properties['MaximumRecordAgeInSeconds']) * 1000,
  };
}

/** Lets the clock go ahead: waiting would take minutes. */
function laterClock() {
  const clock = { laterMs: 0 };
  const { now } = Date;
  const spy = vi.spyOn(Date, 'now').mockImplementation(() => now() + clock.laterMs);
  onTestFinished(() => spy.mockRestore());
  return clock;
}

function pick(row: Record<string, unknown> | undefined, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, row?.[name]]));
}
