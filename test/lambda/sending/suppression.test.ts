import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { decisionRow } from '../../../lambda/recipients/decision.ts';
import { LEFT_OUT } from '../../../lambda/recording/rows.ts';
import { senderAtWork } from './sender-at-work.ts';
import { recordOf, type SendRequest } from './sender-servers.ts';

let at: Awaited<ReturnType<typeof senderAtWork>>;
let taken: SendRequest['personalizations'][];
beforeAll(async () => {
  at = await senderAtWork();
});
beforeEach(async () => {
  taken = [];
  at.api.answer = ({ personalizations }) => void taken.push(personalizations);
  at.proxy.plan = () => undefined;
  at.proxy.calls.length = 0;
  await at.retries.reset();
});

const CMC = 'customers-mail-cloud';
const SINCE = '2026-11-24T10:00:00.000Z';
let count = 0;

/** An address that bounced hard. */
async function deadAddress(change: object = {}): Promise<string> {
  // Of equal length, so that rows sort by number.
  const toEmail = `dead-${String(++count).padStart(4, '0')}@example.jp`;
  await at.bounce({
    fullMessageId: `bounce-of-${toEmail}`,
    eventId: 'e',
    toEmail,
    occurredAt: SINCE,
    outcome: 'bounced',
    bounceClass: 'hard',
    reason: '550 5.1.1 User unknown',
    ...change,
  });
  return toEmail;
}
const allow = async (email: string, atMs = Date.now()) =>
  at.bounce(decisionRow({ email, outcome: 'allowed', reason: '', atMs }));
const alive = (name = 'alive') => `${name}-${++count}@example.jp`;

async function waiting(change: object) {
  const id = `item-${++count}`;
  const item = { id, from: 'shop@example.com', subject: 'S', content: 'C', ...change };
  await at.put(item);
  return { id, record: recordOf(item) };
}
async function sent(change: object) {
  const { id, record } = await waiting(change);
  expect(await at.deliver([record])).toEqual([]);
  return { ...(await at.mail(id)), id } as Record<string, unknown>;
}
const storyOf = async (messageId: unknown) =>
  (await at.sentLog()).filter((row) => row['messageId'] === messageId && row['state'] !== undefined);
const leftOutOf = async (id: string) =>
  (await at.bounces()).filter((row) => row['mailId'] === id && row['type'] === 'suppressed');
/** Counts each lookup once: on a busy machine the SDK may retry one. */
const lookUps = () =>
  new Set(at.proxy.calls.flatMap(({ action, invocation }) => (action === 'Query' ? [invocation] : []))).size;

describe.each(['sendgrid', CMC])('%s', (provider) => {
  test('a suppressed recipient is left out, and the others get the message', async () => {
    const [dead, cc, bcc] = [await deadAddress(), await deadAddress(), await deadAddress()];
    const others = { to: alive('to'), cc: alive('cc'), bcc: alive('bcc') };
    const item = await sent({
      provider,
      to: [`Dead <${dead}>`, others.to],
      cc: [others.cc, cc],
      bcc: [bcc.toUpperCase(), others.bcc],
    });
    expect(item).toMatchObject({
      status: 'sent',
      error: expect.stringMatching(
        `^Sent, but ${dead} was left out: it is suppressed since ${SINCE} by a hard bounce: 550 5.1.1 User unknown; `,
      ),
    });
    if (provider === 'sendgrid') {
      expect(taken).toEqual([[{ to: [others.to], cc: [others.cc], bcc: [others.bcc] }]]);
    } else {
      const { recipients, source } = at.smtp.messages.at(-1) ?? expect.unreachable();
      expect(recipients).toEqual([others.to, others.cc, others.bcc]);
      expect(String(source)).toContain(`To: ${others.to}\r\n`);
      expect(String(source)).toContain(`Cc: ${others.cc}\r\n`);
    }
    const reason = `${LEFT_OUT}: it is suppressed since ${SINCE} by a hard bounce: 550 5.1.1 User unknown`;
    const story = await storyOf(item['messageId']);
    expect(story.map(({ state, recipient, reason }) => [state, recipient, reason]).toSorted()).toEqual(
      [dead, cc, bcc].map((recipient) => ['dropped', recipient, reason]),
    );
    const rows = await leftOutOf(String(item['id']));
    expect(rows.map(({ toEmail }) => toEmail).toSorted()).toEqual([dead, cc, bcc]);
    expect(rows.find(({ toEmail }) => toEmail === dead)).toMatchObject({
      messageId: item['messageId'],
      provider,
      event: 'dropped',
      outcome: 'dropped',
      type: 'suppressed',
      bounceClass: 'undetermined',
      cause: 'suppressed',
      toName: 'Dead',
      subject: 'S',
      matched: true,
      reason,
    });
    // These rows alone decide nothing.
    await allow(dead, Date.parse(SINCE) + 1);
    await expect(sent({ provider, to: dead })).resolves.toMatchObject({ status: 'sent' });
  });

  test('if no recipient is left, the provider is not called, and the item says who, why, and how to send anyway', async () => {
    const to = await deadAddress();
    const [requests, messages] = [at.api.requests, at.smtp.messages.length];
    const { id, record } = await waiting({ provider, to });
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    expect(await at.deliver([record])).toEqual([]);
    const item = await at.mail(id);
    expect(item).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: `Cannot send: every recipient is suppressed: ${to} is suppressed since ${SINCE} by a hard bounce: 550 5.1.1 User unknown. To send it all the same, set sendAnyway to true; to allow an address, run npm run suppressions -- remove ${to}. To send it again, fix this and delete the attribute status`,
    });
    expect(written.mock.calls.join()).toMatch(/"Suppressed":1/);
    expect(written.mock.calls.join()).not.toMatch(/"NotSent":/);
    expect([at.api.requests, at.smtp.messages.length]).toEqual([requests, messages]);
    const story = await storyOf(item?.['messageId']);
    expect(story).toMatchObject([{ state: 'dropped', recipient: to }]);
    // The message was not sent, so it has no log row.
    expect((await at.sentLog()).filter((row) => row['mailId'] === id)).toEqual([]);
    expect(await leftOutOf(id)).toMatchObject([{ outcome: 'dropped', matched: true, toEmail: to }]);
  });

  test('with a thousand suppressed recipients, the error still says what to do', async () => {
    const dead = await deadAddress({ reason: 'x'.repeat(5_000) });
    const { error } = await sent({
      provider,
      to: [dead, await deadAddress(), await deadAddress(), await deadAddress()],
    });
    expect(error).toMatch(/; and 1 more\. To send it all the same, set sendAnyway .* delete the attribute status$/);
  });

  test('rows that were written before a crash are not doubled', async () => {
    const to = [await deadAddress(), await deadAddress()];
    // In the first delivery, everything after these rows fails.
    at.proxy.plan = ({ action, body }) =>
      action === 'UpdateItem' && JSON.stringify(body).includes('"failed"') ? 'error 500' : undefined;
    const { id, record } = await waiting({ provider, to });
    await at.deliver([record]);
    const rows = await leftOutOf(id);
    expect(rows).toHaveLength(2);
    at.proxy.plan = () => undefined;
    const { now } = Date;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + 10 * 60_000);
    onTestFinished(() => clock.mockRestore());
    await at.deliverRetries();
    expect(await at.mail(id)).toMatchObject({ status: 'failed' });
    expect(await leftOutOf(id)).toEqual(rows);
    expect(await storyOf((await at.mail(id))?.['messageId'])).toHaveLength(2);
  });
});

describe('only cc or bcc recipients are left', () => {
  test('cc becomes to, because SendGrid accepts no message without to', async () => {
    const [cc, bcc] = [alive('cc'), alive('bcc')];
    await expect(sent({ to: await deadAddress(), cc, bcc })).resolves.toMatchObject({ status: 'sent' });
    expect(taken).toEqual([[{ to: [cc], bcc: [bcc] }]]);
  });

  test('each recipient in bcc gets a separate copy, so that none sees another', async () => {
    const bcc = [alive('bcc'), alive('bcc')];
    await expect(sent({ to: await deadAddress(), bcc })).resolves.toMatchObject({ status: 'sent' });
    expect(taken).toEqual([bcc.map((recipient) => ({ to: [recipient] }))]);
  });

  test('by SMTP, the message has no To header', async () => {
    const bcc = [alive('bcc'), alive('bcc')];
    await expect(sent({ provider: CMC, to: await deadAddress(), bcc })).resolves.toMatchObject({ status: 'sent' });
    const { recipients, source } = at.smtp.messages.at(-1) ?? expect.unreachable();
    expect(recipients).toEqual(bcc);
    expect(String(source)).not.toMatch(/^(?:To|Cc|Bcc):/im);
  });
});

describe('who is suppressed', () => {
  test('an address that was allowed gets mail, until it bounces hard again', async () => {
    const to = await deadAddress();
    await allow(to, Date.parse(SINCE) + 1_000);
    await expect(sent({ to })).resolves.toMatchObject({ status: 'sent' });
    await at.bounce({
      ...{ fullMessageId: 'again', eventId: to, toEmail: to, occurredAt: '2026-11-24T10:00:02.000Z' },
      ...{ outcome: 'bounced', bounceClass: 'hard', reason: '550' },
    });
    await expect(sent({ to })).resolves.toMatchObject({ status: 'failed' });
  });

  test('rows that decide nothing do not hide an older row, however many there are', async () => {
    const to = await deadAddress();
    const reason = 'x'.repeat(90_000);
    for (let n = 0; n < 15; n++) {
      const occurredAt = new Date(Date.parse(SINCE) + (n + 1) * 1_000).toISOString();
      await at.bounce({
        ...{ fullMessageId: `soft-${n}`, eventId: to, toEmail: to, occurredAt },
        ...{ outcome: 'bounced', bounceClass: 'soft', reason },
      });
    }
    await expect(sent({ to })).resolves.toMatchObject({ status: 'failed' });
    // A page of the index holds 1 MB.
    expect(lookUps()).toBe(2);
  });
});

describe('requests to look up recipients', () => {
  test('a message with hundreds of recipients needs one for each', async () => {
    const to = Array.from({ length: 299 }, (_, n) => `member-${n}@example.org`);
    const item = await sent({ to: [...to, 'Member-1@Example.org', await deadAddress()] });
    expect(item).toMatchObject({ status: 'sent' });
    expect(lookUps()).toBe(300);
    expect(taken[0]?.[0]?.to).toHaveLength(299);
  });

  test.each([true, 'true'])('with sendAnyway %j, no recipient is looked up', async (sendAnyway) => {
    await expect(sent({ to: await deadAddress(), sendAnyway })).resolves.toMatchObject({ status: 'sent', sendAnyway });
    expect(lookUps()).toBe(0);
  });

  test.each([false, 'false', null, ''])('sendAnyway %j has no effect', async (sendAnyway) => {
    await expect(sent({ to: await deadAddress(), sendAnyway })).resolves.toMatchObject({ status: 'failed' });
  });

  test.each(['yes', 1, { is: true }])('sendAnyway %j is an error', async (sendAnyway) => {
    const error = expect.stringMatching(/^Cannot send: sendAnyway must be true or false\./);
    await expect(sent({ to: alive(), sendAnyway })).resolves.toMatchObject({ status: 'failed', error });
  });

  test('with the setting off, no recipient is looked up', async () => {
    vi.stubEnv('SUPPRESSION', 'off');
    await at.reload();
    onTestFinished(async () => {
      vi.unstubAllEnvs();
      await at.reload();
    });
    await expect(sent({ to: await deadAddress() })).resolves.toMatchObject({ status: 'sent' });
    expect(lookUps()).toBe(0);
  });
});

describe('a message is never sent unchecked', () => {
  function later(ms: number) {
    const { now } = Date;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + ms);
    onTestFinished(() => clock.mockRestore());
    return at.deliverRetries();
  }

  test('if a recipient cannot be looked up, the message waits in RetryQueue', async () => {
    const to = [alive(), await deadAddress()];
    at.proxy.plan = ({ action }) => (action === 'Query' ? 'error 500' : undefined);
    const { id, record } = await waiting({ to });
    expect(await at.deliver([record])).toEqual([]);
    expect(taken).toEqual([]);
    expect(await at.mail(id)).toMatchObject({
      status: 'sending',
      attempts: 0,
      error:
        'Cannot check whether the recipients are suppressed, so the mail was not sent: InternalServerError; it will be tried again',
    });
    at.proxy.plan = () => undefined;
    await later(5_000);
    expect(taken).toEqual([[{ to: to.slice(0, 1) }]]);
    expect(await at.mail(id)).toMatchObject({ status: 'sent' });
  });

  test('if the lookups fail until the last attempt, the message fails, and the story of a logged message says so', async () => {
    const to = alive();
    const { id, record } = await waiting({ provider: CMC, to });
    at.secret.smtpPort = 1;
    await at.reload();
    onTestFinished(async () => {
      at.secret.smtpPort = at.smtp.port;
      await at.reload();
    });
    await at.deliver([record]);
    at.proxy.plan = ({ action }) => (action === 'Query' ? 'error 500' : undefined);
    await later(7 * 3_600_000);
    const [log] = (await at.sentLog()).filter((row) => row['mailId'] === id);
    const error = expect.stringMatching(/^Cannot check whether the recipients are suppressed/);
    expect(await at.mail(id)).toMatchObject({ status: 'failed', error });
    expect(await storyOf(log?.['messageId'])).toMatchObject([{ state: 'failed', recipient: to }]);
    expect((await at.bounces()).filter(({ toEmail }) => toEmail === to)).toEqual([]);
  });

  test('an address that is suppressed while the message waits is left out of the next attempt', async () => {
    const [patient, other] = [alive('patient'), alive('other')];
    const { id, record } = await waiting({ provider: CMC, to: [patient, other] });
    // No server listens there.
    at.secret.smtpPort = 1;
    await at.reload();
    onTestFinished(() => {
      at.secret.smtpPort = at.smtp.port;
    });
    await at.deliver([record]);
    expect(await at.mail(id)).toMatchObject({ status: 'sending' });
    at.secret.smtpPort = at.smtp.port;
    await at.reload();
    const [log] = (await at.sentLog()).filter((row) => row['mailId'] === id);
    await at.bounce(decisionRow({ email: patient, outcome: 'suppressed', reason: 'asked by phone', atMs: Date.now() }));
    await later(5_000);
    const item = await at.mail(id);
    expect(item).toMatchObject({ status: 'sent', messageId: log?.['messageId'] });
    expect(at.smtp.messages.at(-1)?.recipients).toEqual([other]);
    // The log row of the first attempt names all recipients. The story says who was left out.
    expect((await at.sentLog()).filter((row) => row['mailId'] === id)).toEqual([log]);
    expect(await storyOf(log?.['messageId'])).toMatchObject([{ state: 'dropped', recipient: patient }]);
  });
});
