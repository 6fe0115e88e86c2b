import { once } from 'node:events';
import net from 'node:net';
import { createTransport, type SendMailOptions } from 'nodemailer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { issueLocalCertificate } from '../../../local/simulators/certificate.ts';
import { eventsOf } from '../../../local/simulators/customers-mail-cloud/events.ts';
import {
  type CustomersMailCloudSimulator,
  type CustomersMailCloudSimulatorOptions,
  customersMailCloudPendingSchema,
  startCustomersMailCloudSimulator,
} from '../../../local/simulators/customers-mail-cloud.ts';
import { type ReceivedPost, type Receiver, startReceiver } from './receiver.ts';

const certificate = await issueLocalCertificate();
const CREDENTIALS = { user: 'smtp-user', password: 'secret' };

let receiver: Receiver;
let simulator: CustomersMailCloudSimulator;
let lines: string[];

async function start(options: Partial<CustomersMailCloudSimulatorOptions> = {}) {
  lines = [];
  simulator = await startCustomersMailCloudSimulator({
    port: 0,
    certificate,
    credentials: () => CREDENTIALS,
    webhookUrl: receiver.url,
    apiKey: () => 'webhook-key',
    delayMs: 0,
    report: (line) => lines.push(line),
    ...options,
  });
}

beforeEach(async () => {
  receiver = await startReceiver();
  await start();
});
afterEach(async () => {
  await simulator.close();
  await receiver.close();
});

/** A client like an application's: it requires STARTTLS and verifies the certificate. */
function transport(options: { host?: string; password?: string; requireTLS?: boolean; ca?: string } = {}) {
  const { host = '127.0.0.1', password = CREDENTIALS.password, requireTLS = true, ca = certificate.ca } = options;
  return createTransport({
    host,
    port: simulator.port,
    requireTLS,
    ignoreTLS: !requireTLS,
    auth: { user: CREDENTIALS.user, pass: password },
    tls: { ca },
  });
}

function send(mail: SendMailOptions) {
  return transport().sendMail({ from: 'Shop <info@example.com>', subject: 'Hello', text: 'Hello', ...mail });
}

interface FormPost {
  readonly apiKey: string | null;
  readonly serverComposition: string | null;
  readonly eventType: string;
  readonly entries: Record<string, string>[];
}

function formOf({ body }: ReceivedPost): FormPost {
  const form = new URLSearchParams(body.toString());
  const eventType = form.get('event_type') ?? '';
  return {
    apiKey: form.get('api_key'),
    serverComposition: form.get('server_composition'),
    eventType,
    entries: JSON.parse(form.get('event') ?? '{}')[eventType],
  };
}

/** `event_type/status` of all posted entries. */
function outcomes(): string[] {
  return receiver.posts
    .map(formOf)
    .flatMap(({ eventType, entries }) => entries.map(({ status }) => `${eventType}/${status}`));
}

describe('SMTP', () => {
  test.each(['127.0.0.1', 'localhost'])('takes a mail at %s by STARTTLS with a verified certificate', async (host) => {
    const info = await transport({ host }).sendMail({ from: 'a@example.com', to: 'user@example.com', text: 'Hello' });
    expect(info.accepted).toEqual(['user@example.com']);
  });

  test('accepts no credentials before STARTTLS', async () => {
    await expect(transport({ requireTLS: false }).verify()).rejects.toThrow();
    expect(await talk('EHLO client', 'AUTH PLAIN AGEAYg==')).toMatch(/^538 /m);
  });

  test('accepts no mail before AUTH', async () => {
    expect(await talk('EHLO client', 'MAIL FROM:<a@example.com>')).toMatch(/^530 /m);
  });

  test('refuses wrong credentials', async () => {
    await expect(transport({ password: 'other' }).verify()).rejects.toMatchObject({ code: 'EAUTH', responseCode: 535 });
  });

  test('temporarily refuses a mail that cannot be stored', async () => {
    await simulator.close();
    await start({
      keep: () => {
        throw new Error('the disk is full');
      },
    });
    await expect(send({ to: 'user@example.com' })).rejects.toMatchObject({ responseCode: 450 });
    expect(simulator.pending()).toEqual([]);
  });

  test('temporarily refuses sign-ins while the secret cannot be read', async () => {
    await simulator.close();
    await start({
      credentials: () => {
        throw new Error('no credentials yet');
      },
    });
    await expect(transport().verify()).rejects.toMatchObject({ code: 'EAUTH' });
  });

  test('survives a broken TLS handshake', async () => {
    await talk('EHLO client', 'STARTTLS', 'this is no TLS handshake');
    await transport().verify();
  });

  test('refuses a client that does not trust the certificate', async () => {
    const other = await issueLocalCertificate();
    await expect(transport({ ca: other.ca }).verify()).rejects.toThrow('certificate');
  });

  test('refuses a recipient that is not an address, and accepts the others', async () => {
    const { accepted, rejectedErrors } = await send({ to: ['user@example..jp', 'user@example.jp'] });
    expect(accepted).toEqual(['user@example.jp']);
    expect(rejectedErrors).toMatchObject([{ recipient: 'user@example..jp', responseCode: 553 }]);
    await simulator.idle();
    expect(outcomes()).toEqual(['deliveries/queued', 'deliveries/succeeded']);
  });

  test('accepts an address that is valid only with quotation marks', async () => {
    const { accepted } = await send({ to: 'a..b@example.jp' });
    expect(accepted).toEqual(['"a..b"@example.jp']);
    await simulator.idle();
    expect(outcomes()).toEqual(['deliveries/queued', 'deliveries/succeeded']);
  });

  test('refuses too large a message', async () => {
    const envelope = { from: 'info@example.com', to: 'user@example.com' };
    // Already encoded, because to encode so much text takes a second.
    const raw = Buffer.alloc(26 * 1024 * 1024, `${'x'.repeat(74)}\r\n`);
    await expect(transport().sendMail({ envelope, raw })).rejects.toMatchObject({ responseCode: 552 });
    expect(simulator.pending()).toEqual([]);
  });
});

/** The server's replies to `commands`, without TLS. Each command is sent after the last line of a reply. */
async function talk(...commands: string[]): Promise<string> {
  const socket = net.connect(simulator.port, '127.0.0.1').setEncoding('utf8');
  const unsent = [...commands, 'QUIT'];
  let said = '';
  for await (const chunk of socket) {
    said += chunk;
    if (/^\d{3} [^\n]*\n$/m.test(said)) socket.write(`${unsent.shift()}\r\n`);
  }
  return said;
}

describe('webhook', () => {
  test.each([
    ['user', ['deliveries/queued', 'deliveries/succeeded']],
    ['bounce', ['deliveries/queued', 'deliveries/failed', 'bounces/2']],
    ['blocked', ['deliveries/queued', 'deliveries/failed', 'bounces/5']],
    ['dropped', ['deliveries/queued', 'deliveries/failed']],
    ['deferred', ['deliveries/queued', 'deliveries/deferred', 'deliveries/succeeded']],
    ['complaint', ['deliveries/queued', 'deliveries/succeeded']],
  ])('posts the outcome of a mail to %s@…: %j', async (localPart, expected) => {
    await send({ to: `${localPart}@example.jp` });
    await simulator.idle();
    expect(outcomes()).toEqual(expected);
  });

  test('posts a form with entries of version 2, whose values are all strings', async () => {
    const messageId = '<031a32d4-06cd-b1ae-9526-011c0b9f1296@example.com>';
    await send({
      to: 'bounce@example.jp',
      envelope: { from: 'return@example.com', to: 'bounce@example.jp' },
      subject: 'メールマガジンのテスト',
      messageId,
      headers: { 'X-Api-Data': messageId },
    });
    await simulator.idle();
    expect(receiver.posts[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    const common = {
      created: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
      returnPath: 'return@example.com',
      from: 'info@example.com',
      to: 'bounce@example.jp',
      subject: 'メールマガジンのテスト',
      messageId,
      apiData: messageId,
    };
    const reason = expect.stringMatching(/^550 5\.1\.1 .*<https:\/\/support\.google\.com/);
    const post = { apiKey: 'webhook-key', serverComposition: 'sandbox' };
    expect(receiver.posts.map(formOf)).toEqual([
      {
        ...post,
        eventType: 'deliveries',
        entries: [
          { ...common, status: 'queued', reason: '', sourceIp: '100.100.100.1', senderIp: '' },
          { ...common, status: 'failed', reason, sourceIp: '', senderIp: '100.100.100.3' },
        ],
      },
      { ...post, eventType: 'bounces', entries: [{ ...common, status: '2', reason }] },
    ]);
  });

  test('posts a non-ASCII domain as it was given by SMTP', async () => {
    await send({ to: 'taro@例え.jp' });
    await simulator.idle();
    expect(receiver.posts.flatMap((post) => formOf(post).entries)).toMatchObject([
      { to: 'taro@xn--r8jz45g.jp', status: 'queued' },
      { to: 'taro@xn--r8jz45g.jp', status: 'succeeded' },
    ]);
  });

  test('escapes angle brackets in the JSON of the form', async () => {
    await send({ to: 'user@example.jp', messageId: '<id@example.com>' });
    await simulator.idle();
    const event = new URLSearchParams(receiver.posts[0]?.body.toString()).get('event');
    expect(event).toContain('"messageId":"\\u003Cid@example.com\\u003E"');
  });

  test('posts JSON with the event as an object, without an api_key if none is set', async () => {
    await simulator.close();
    await start({ format: 'json', serverComposition: 'pro', apiKey: () => '' });
    await send({ to: 'user@example.jp' });
    await simulator.idle();
    expect(receiver.posts[0]?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(receiver.posts[0]?.body.toString() ?? '')).toEqual({
      server_composition: 'pro',
      event_type: 'deliveries',
      event: {
        deliveries: [
          expect.objectContaining({ to: 'user@example.jp', status: 'queued' }),
          expect.objectContaining({ to: 'user@example.jp', status: 'succeeded' }),
        ],
      },
    });
  });

  test('reports an address on its block list in the same second and post as the queued mail', async () => {
    await simulator.close();
    await start({ delayMs: 60_000 });
    await send({ to: 'dropped+$&@example.jp' });
    await simulator.idle();
    const posts = receiver.posts.map(formOf);
    const [queued, failed] = posts.flatMap(({ entries }) => entries);
    expect(posts.map(({ eventType, entries }) => [eventType, entries.length])).toEqual([['deliveries', 2]]);
    expect(failed).toEqual({
      ...queued,
      status: 'failed',
      reason: 'Recipient address <dropped+$&@example.jp> is suppressed to send mail. (in reply to RCPT TO)',
      sourceIp: '',
    });
  });

  test("posts times in the account's time zone, without an offset", () => {
    const acceptedAt = Date.UTC(2023, 0, 25, 15, 3, 6);
    const mail = { returnPath: '', from: '', recipients: ['user@example.jp'], messageId: '', subject: '', apiData: '' };
    for (const [timeZone, created] of [
      ['Asia/Tokyo', '2023-01-26 00:03:06'],
      ['UTC', '2023-01-25 15:03:06'],
    ] as const) {
      const [queued] = eventsOf(mail, acceptedAt, 0, timeZone);
      expect(queued?.event.entry['created']).toBe(created);
    }
  });

  test('posts an entry for each recipient, including bcc, in posts of at most 100 entries', async () => {
    const to = Array.from({ length: 60 }, (_, index) => `user${index}@example.jp`);
    await send({ to, bcc: 'hidden@example.jp' });
    await simulator.idle();
    expect(receiver.posts.map((post) => formOf(post).entries.length)).toEqual([100, 22]);
  });

  test('adds a missing Message-ID, and finds headers in any case, folded and encoded', async () => {
    await sendSource('subject: =?UTF-8?B?44Oh44O844Or?=\r\nx-API-data:\r\n =?UTF-8?Q?caf=C3=A9?=\r\n\r\nHello');
    await sendSource('hello');
    await simulator.idle();
    const [first, , second] = receiver.posts.flatMap((post) => formOf(post).entries);
    expect(first).toMatchObject({ subject: 'メール', apiData: 'café', from: 'info@example.com' });
    expect(first?.['messageId']).toMatch(/^<[\w-]{36}@.+>$/);
    expect(second).toMatchObject({ subject: '', apiData: '', from: 'info@example.com' });
  });

  function sendSource(raw: string) {
    return transport().sendMail({ envelope: { from: 'info@example.com', to: 'user@example.jp' }, raw });
  }

  test('posts after the delay, and a bounce at most a second after its failure', async () => {
    await simulator.close();
    await start({ delayMs: 60_000 });
    const sentAt = Date.now();
    await send({ to: 'bounce@example.jp' });
    const [failed, bounced] = simulator.pending().slice(-2);
    expect(Math.round(((failed?.dueAt ?? 0) - sentAt) / 60_000)).toBe(1);
    expect((bounced?.dueAt ?? 0) - (failed?.dueAt ?? 0)).toBe(1_000);
  });

  test('does not repeat a post: without a 2xx answer the events are lost, counted and reported', async () => {
    receiver.answerNext(401, 302);
    await send({ to: 'bounce@example.jp' });
    await simulator.idle();
    expect(simulator.lost()).toBe(3);
    expect(lines).toEqual([
      'Customers Mail Cloud simulator: webhook answered 401, 2 events lost',
      'Customers Mail Cloud simulator: webhook answered 302, 1 event lost',
    ]);
    expect(receiver.posts).toHaveLength(2);
  });
});

describe('close', () => {
  test('frees the port, and leaves the events to the next simulator', async () => {
    await simulator.close();
    await start({ delayMs: 60_000 });
    await send({ to: 'deferred@example.jp' });
    await simulator.close();
    const saved = JSON.stringify(simulator.pending().map((pending) => ({ ...pending, dueAt: 0 })));

    const { port } = simulator;
    await start({ port });
    simulator.restore(customersMailCloudPendingSchema.parse(JSON.parse(saved)));
    expect(simulator.port).toBe(port);
    await simulator.idle();
    expect(outcomes()).toEqual(expect.arrayContaining(['deliveries/deferred', 'deliveries/succeeded']));
  });

  test('does not wait for a client that stays connected', async () => {
    const socket = net.connect(simulator.port, '127.0.0.1');
    await once(socket, 'data');
    await simulator.close();
    await expect(talk()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
