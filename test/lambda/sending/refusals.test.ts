/** Refusals: what the provider never takes fails at once, and the error says what to change. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { senderWithClock } from './sender-with-clock.ts';

const { at, waiting, logRowsOf, bouncesOf } = senderWithClock();

test.each(['full@example.jp, refused+first@example.jp', 'refused+second@example.jp, full@example.jp'])(
  'if all recipients are refused, each recipient has its own reason: %s',
  async (to) => {
    const { id, record } = await waiting('each-its-own', { provider: 'customers-mail-cloud', to });
    expect(await at().deliver([record])).toEqual([]);
    expect(await at().mail(id)).toMatchObject({ status: 'failed', attempts: 1 });
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
  expect(await at().deliver([record])).toEqual([]);
  expect(await at().mail(id)).toMatchObject({
    status: 'failed',
    error:
      'Customers Mail Cloud refused the sender address (550 5.7.1 Not your address): change the attribute from, or let the account send as unknown@example.com. To send it again, fix this and delete the attribute status',
  });
  expect(await bouncesOf(id)).toEqual([]);
});

test('if SendGrid accepts without a message id, the item is sent, and says that its events cannot be joined', async () => {
  at().api.answer = () => ({ status: 202 });
  const before = at().api.requests;
  const { id, record } = await waiting('nameless');
  expect(await at().deliver([record])).toEqual([]);
  expect(await at().deliver([record])).toEqual([]);
  expect(at().api.requests - before).toBe(1);
  const item = await at().mail(id);
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
    at().api.answer = () => ({ status, body });
    const before = at().api.requests;
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    const { id, record } = await waiting('refused-by-api');
    expect(await at().deliver([record])).toEqual([]);
    expect(await at().mail(id)).toMatchObject({ status: 'failed', attempts: 1, error: expect.stringMatching(words) });
    expect(at().api.requests - before).toBe(1);
    const counted = written.mock.calls
      .map(([line]) => String(line))
      .filter((line) => line.includes('"UnauthorizedHandovers":1'));
    expect(counted).toHaveLength(status === 401 || status === 403 ? 1 : 0);
  });

  test.each(['', 'x'])('a text that is too long is cut between two characters: %j', async (start) => {
    at().api.answer = () => ({
      status: 400,
      body: JSON.stringify({ errors: [{ message: start + '😀'.repeat(2_000) }] }),
    });
    const { id, record } = await waiting('refused-at-length');
    await at().deliver([record]);
    const error = String((await at().mail(id))?.['error']);
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
    expect(await at().deliver([record])).toEqual([]);
    const mail = await at().mail(id);
    expect(mail).toMatchObject({
      status: 'sent',
      error: expect.stringMatching(/^Sent, but refused-1@example\.jp was refused: 550 5\.1\.1 No such user here/),
    });
    const story = (await at().sentLog()).filter((row) => row['messageId'] === mail?.['messageId']);
    expect(story.map(({ state, recipient }) => [state, recipient])).toEqual([
      ['failed', 'refused-1@example.jp'],
      [undefined, undefined],
    ]);
    expect((await at().bounces()).filter((row) => row['mailId'] === id)).toMatchObject([
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
    at().account.locked = true;
    onTestFinished(() => {
      at().account.locked = false;
    });
    const { id, record } = await waiting('locked', { provider: 'customers-mail-cloud' });
    expect(await at().deliver([record])).toEqual([]);
    expect(await at().mail(id)).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/535.*Account locked/),
    });
    expect(await bouncesOf(id)).toEqual([]);
  });

  test('if all recipients are refused: failed, and the story names them', async () => {
    const { id, record } = await waiting('wholly', {
      provider: 'customers-mail-cloud',
      to: 'refused-3@example.jp, refused-4@example.jp',
    });
    expect(await at().deliver([record])).toEqual([]);
    expect(await at().mail(id)).toMatchObject({ status: 'failed' });
    const [log] = await logRowsOf(id);
    const story = (await at().sentLog()).filter((row) => row['messageId'] === log?.['messageId'] && row['state']);
    expect(story.map(({ recipient }) => recipient)).toEqual(['refused-3@example.jp', 'refused-4@example.jp']);
    const bounces = (await at().bounces()).filter((row) => row['mailId'] === id);
    expect(bounces.map(({ toEmail, smtpCode }) => [toEmail, smtpCode]).toSorted()).toEqual([
      ['refused-3@example.jp', '550'],
      ['refused-4@example.jp', '550'],
    ]);
  });
});
