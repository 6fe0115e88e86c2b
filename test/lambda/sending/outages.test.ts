/** The calls that an outage costs, and the mails that it delays. The tests move the clock; everything else is real. */
import { createServer, type Server } from 'node:net';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { listen } from '../../../local/ports.ts';
import { firstTable, readPage } from '../../docs/pages.ts';
import { recordOf } from './sender-servers.ts';
import { HOUR_MS, MINUTE_MS, senderWithClock } from './sender-with-clock.ts';

/** No server listens on this port. */
const CLOSED_PORT = 1;

const { at, clock } = senderWithClock();
const { pass } = clock;
beforeEach(() => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
  onTestFinished(() => random.mockRestore());
});

let count = 0;
const letter = (provider: string, change: object = {}) => ({
  id: `mail-${++count}`,
  provider,
  from: 'shop@example.com',
  to: `mail-${count}@example.jp`,
  subject: 'S',
  content: 'C',
  ...change,
});

async function put(item: ReturnType<typeof letter>) {
  await at().put(item);
  return recordOf(item);
}

describe('an outage of an hour costs as many calls per mail as docs/design.md says', () => {
  async function hourOf(provider: string, attempts: () => number) {
    const item = letter(provider, provider === 'sendgrid' ? {} : { to: 'someone@example.jp' });
    const record = await put(item);
    const before = { attempts: attempts(), calls: at().proxy.calls.length };
    expect(await at().deliver([record])).toEqual([]);
    await pass(2 * MINUTE_MS, 1_000);
    await pass(HOUR_MS - 2 * MINUTE_MS, 10_000);
    expect(await at().mail(item.id)).not.toMatchObject({ status: expect.stringMatching(/sent|failed/) });
    return [attempts() - before.attempts, at().proxy.calls.length - before.calls, at().retries.put.length];
  }
  const documented = async (outage: string) => {
    const design = await readPage('docs/design.md');
    const row = firstTable(design.split('<!-- outages -->')[1] ?? '').find(([name]) => name === outage);
    return row?.slice(1).map(Number);
  };

  test('SendGrid answers 503', async () => {
    at().api.answer = () => ({ status: 503 });
    expect(await hourOf('sendgrid', () => at().api.requests)).toEqual(await documented('SendGrid answers 503'));
  });

  test('SendGrid answers 429, with a reset in two hours', async () => {
    const reset = String(Math.ceil(Date.now() / 1000) + 7_200);
    at().api.answer = () => ({ status: 429, headers: { 'x-ratelimit-reset': reset } });
    const hour = await hourOf('sendgrid', () => at().api.requests);
    expect(hour).toEqual(await documented('SendGrid answers 429, with a reset in two hours'));
  });

  test('the SMTP port is closed', async () => {
    at().secret.smtpPort = CLOSED_PORT;
    onTestFinished(() => {
      at().secret.smtpPort = at().smtp.port;
    });
    // The log has one line for each attempt.
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => written.mockRestore());
    const attempts = () => written.mock.calls.filter(([line]) => String(line).includes('"nextAttemptAt"')).length;
    expect(await hourOf('customers-mail-cloud', attempts)).toEqual(await documented('the SMTP port is closed'));
  });

  // This takes a minute and a half: each attempt waits for the greeting until its time is over.
  test.runIf(process.env['SLOW'])('the SMTP server does not answer', { timeout: 300_000 }, async () => {
    const silent = await silentServer();
    at().secret.smtpPort = silent.port;
    onTestFinished(() => {
      at().secret.smtpPort = at().smtp.port;
      silent.server.close();
    });
    const hour = await hourOf('customers-mail-cloud', () => silent.connections());
    expect(hour).toEqual(await documented('the SMTP server does not answer'));
  });

  test('DynamoDB fails each write of the Mail table', async () => {
    at().proxy.plan = ({ action }) => (action === 'UpdateItem' ? 'error 500' : undefined);
    const hour = await hourOf('sendgrid', () => at().api.requests);
    expect(hour).toEqual(await documented('DynamoDB fails each write of the Mail table'));
  });

  test('the sender secret cannot be read', async () => {
    await at().reload();
    at().secret.isReadable = false;
    const hour = await hourOf('sendgrid', () => at().api.requests);
    expect(hour).toEqual(await documented('the sender secret cannot be read'));
  });
});

test('a secret that becomes readable is used within seconds', async () => {
  await at().reload();
  at().secret.isReadable = false;
  const item = letter('sendgrid');
  await at().deliver([await put(item)]);
  await pass(5_000, 1_000);
  expect(await at().mail(item.id)).toMatchObject({
    status: 'sending',
    error:
      'Cannot send: the sender secret cannot be read: Secrets Manager did not return it (InternalServiceError); it will be tried again',
  });
  at().secret.isReadable = true;
  await pass(5_000, 1_000);
  expect(await at().mail(item.id)).toMatchObject({ status: 'sent' });
});

test('a mail that SendGrid always answers with 500 and an SMTP server that is down do not delay 60 other mails', async () => {
  at().secret.smtpPort = CLOSED_PORT;
  onTestFinished(() => {
    at().secret.smtpPort = at().smtp.port;
  });
  at().api.answer = ({ to }) => (to.startsWith('poison') ? { status: 500 } : undefined);
  const others = Array.from({ length: 60 }, () => letter('sendgrid'));
  const failing = [
    letter('sendgrid', { to: 'poison@example.jp' }),
    ...Array.from({ length: 11 }, () => letter('customers-mail-cloud')),
  ];
  // Distributed among the others.
  const items = [...others];
  for (const [n, item] of failing.entries()) items.splice(n * 6, 0, item);
  const records = await Promise.all(items.map(put));
  const handedOver = at().handedOver.length;
  for (let start = 0; start < records.length; start += 24) {
    // Nothing may be delivered again, so that the stream continues after each batch.
    expect(await at().deliver(records.slice(start, start + 24))).toEqual([]);
  }
  expect(at().handedOver.length - handedOver).toBe(60);
  const waiting = await Promise.all(failing.map(({ id }) => at().mail(id)));
  expect(waiting.map((item) => [item?.['status'], typeof item?.['nextAttemptAt']])).toEqual(
    failing.map(() => ['sending', 'string']),
  );
  // On a busy machine the same message may be put twice.
  expect(new Set(at().retries.put.map(({ id }) => id))).toEqual(new Set(failing.map(({ id }) => id)));

  // A minute later more mails come.
  const later = Array.from({ length: 24 }, () => letter('sendgrid'));
  const laterRecords = await Promise.all(later.map(put));
  await pass(MINUTE_MS, 10_000);
  expect(await at().deliver(laterRecords)).toEqual([]);
  expect(at().handedOver.length - handedOver).toBe(84);

  clock.advance(6 * HOUR_MS);
  await at().deliverRetries();
  for (const { id, provider } of failing) {
    expect(await at().mail(id)).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(
        provider === 'sendgrid' ? /^SendGrid .*\(500\)/ : /^Customers Mail Cloud .*ECONNREFUSED/,
      ),
    });
  }
  expect(at().retries.waiting()).toBe(0);
});

/** Accepts connections but sends nothing. */
async function silentServer() {
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections++;
    socket.on('error', () => undefined);
  });
  const port = await listen(server, 0, 'the silent server of the tests');
  return { server, port, connections: () => connections };
}
