import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import sendGridClient from '@sendgrid/client';
import sendGridMail from '@sendgrid/mail';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type SendGridSimulator,
  type SendGridSimulatorOptions,
  sendGridPendingSchema,
  startSendGridSimulator,
} from '../../../local/simulators/sendgrid.ts';
import { type ReceivedPost, type Receiver, startReceiver } from './receiver.ts';

const API_KEY = 'SG.simulated';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let receiver: Receiver;
let simulator: SendGridSimulator;
let lines: string[];

async function start(options: Partial<SendGridSimulatorOptions> = {}) {
  lines = [];
  simulator = await startSendGridSimulator({
    port: 0,
    apiKey: () => API_KEY,
    privateKey,
    webhookUrl: receiver.url,
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

interface TestMail {
  readonly to: string | string[];
  readonly cc?: string;
  readonly bcc?: string;
  readonly customArgs?: Record<string, string>;
  readonly categories?: string[];
}

/** Sends with SendGrid's own client, as an application does. Returns the `X-Message-Id`. */
async function send(mail: TestMail): Promise<string> {
  sendGridClient.setApiKey(API_KEY);
  sendGridClient.setDefaultRequest('baseUrl', `${simulator.url}/`);
  sendGridMail.setClient(sendGridClient);
  const [response] = await sendGridMail.send({ from: 'shop@example.com', subject: 'Hello', text: 'Hello', ...mail });
  expect(response.statusCode).toBe(202);
  return response.headers['x-message-id'];
}

/** A body of an API request, for cases that the client would correct or refuse. */
const body = {
  from: { email: 'shop@example.com' },
  personalizations: [{ to: [{ email: 'user@example.com' }] }],
  subject: 'Hello',
  content: [{ type: 'text/plain', value: 'Hello' }],
};
const headers = { Authorization: `Bearer ${API_KEY}`, 'Content-Type': 'application/json' };

function post(json: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(`${simulator.url}/v3/mail/send`, { method: 'POST', headers, body: JSON.stringify(json), ...init });
}

function eventsIn(posts: readonly ReceivedPost[]): Record<string, unknown>[] {
  return posts.flatMap(({ body }) => JSON.parse(body.toString()));
}

describe('Mail Send', () => {
  test('accepts no mail that cannot be stored, and says why', async () => {
    await simulator.close();
    await start({
      keep: () => {
        throw new Error('the disk is full');
      },
    });
    expect((await post(body)).status).toBe(500);
    expect(lines).toEqual(['SendGrid simulator: Cannot answer POST /v3/mail/send: the disk is full']);
    expect(simulator.pending()).toEqual([]);
  });

  test('accepts a mail with 202, no body and an id of 22 URL-safe characters', async () => {
    const response = await post(body);
    expect(response.status).toBe(202);
    expect(await response.text()).toBe('');
    expect(response.headers.get('x-message-id')).toMatch(/^[\w-]{22}$/);
  });

  test('refuses a wrong API key', async () => {
    const response = await post(body, { headers: { ...headers, Authorization: 'Bearer SG.other' } });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      errors: [
        { message: 'The provided authorization grant is invalid, expired, or revoked', field: null, help: null },
      ],
    });
  });

  test('checks the API key at each request', async () => {
    await simulator.close();
    const keys = ['SG.other', API_KEY];
    await start({ apiKey: async () => keys.shift() ?? '' });
    expect((await post(body)).status).toBe(401);
    expect((await post(body)).status).toBe(202);
  });

  test('checks but does not send a mail in sandbox mode', async () => {
    const response = await post({ ...body, mail_settings: { sandbox_mode: { enable: true } } });
    expect(response.status).toBe(200);
    expect(simulator.pending()).toEqual([]);
  });

  test('answers a wrong path, method or content type with 404, 405 and 415', async () => {
    expect((await fetch(`${simulator.url}/v3/mail`, { method: 'POST', headers })).status).toBe(404);
    expect((await fetch(`${simulator.url}/v3/mail/send`, { headers })).status).toBe(405);
    const response = await post(body, { headers: { ...headers, 'Content-Type': 'text/plain' } });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ errors: [{ message: 'Content-Type should be application/json.' }] });
  });

  test('answers a request of more than 30 MB with 413 and HTML', async () => {
    const value = 'x'.repeat(30 * 1024 * 1024);
    const response = await post({ ...body, content: [{ type: 'text/plain', value }] });
    expect(response.status).toBe(413);
    expect(response.headers.get('content-type')).toBe('text/html');
    expect(await response.text()).toContain('413 Request Entity Too Large');
  });

  test('answers invalid JSON with 400', async () => {
    const response = await post(undefined, { body: '{' });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ errors: [{ message: 'Bad Request', field: null, help: null }] });
  });

  const user = { email: 'user@example.com' };
  const users = (count: number) => Array.from({ length: count }, (_, index) => ({ email: `user${index}@example.com` }));
  const plain = { type: 'text/plain', value: 'Hello' };
  const html = { type: 'text/html', value: '<p>Hello' };
  test.each([
    ['no sender', { from: undefined }, 'from.email', /^The from object must be provided/],
    ['an invalid sender', { from: { email: 'shop' } }, 'from.email', /^Does not contain a valid address\.$/],
    [
      'no personalizations',
      { personalizations: undefined },
      'personalizations',
      /^The personalizations field is required/,
    ],
    ['an empty list of personalizations', { personalizations: [] }, 'personalizations', /^The personalizations field/],
    ['no recipient', { personalizations: [{}] }, 'personalizations.0.to', /^The to array is required/],
    ['an empty list of recipients', { personalizations: [{ to: [] }] }, 'personalizations.0.to', /^The to array is/],
    [
      'a recipient without address',
      { personalizations: [{ to: [user, { name: 'User' }] }] },
      'personalizations.0.to.1.email',
      /^The to email parameter is required\.$/,
    ],
    [
      'an invalid recipient',
      { personalizations: [{ to: [user], cc: [{ email: 'a..b@example.jp' }] }] },
      'personalizations.0.cc.0.email',
      /^Does not contain a valid address\.$/,
    ],
    [
      'an address twice, in any case',
      { personalizations: [{ to: [user] }, { to: [user], bcc: [{ email: 'USER@example.com' }] }] },
      'personalizations.1',
      /duplicate instance of \[USER@example\.com\] in the bcc field\.$/,
    ],
    [
      'more than 1,000 recipients',
      { personalizations: [{ to: users(1_000), cc: [user] }] },
      'personalizations',
      /^There is a limit of 1000 total recipients/,
    ],
    ['no subject', { subject: undefined }, 'subject', /^The subject is required\./],
    ['an empty subject', { subject: '' }, 'subject', /^The subject is required\./],
    ['no content', { content: undefined }, 'content', /^There must be at least one defined content block/],
    [
      'an empty content',
      { content: [{ ...plain, value: '' }] },
      'content.0.value',
      /^The content value must be a string at/,
    ],
    [
      'HTML before text',
      { content: [html, plain] },
      'content',
      /text\/plain needs to be first, followed by text\/html/,
    ],
    ['text twice', { content: [plain, plain] }, 'content', /may only be provided once\.$/],
  ])('refuses %s with 400', async (_, change, field, message) => {
    const response = await post({ ...body, ...change });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      errors: [
        {
          field,
          message: expect.stringMatching(message),
          help: expect.stringMatching(/^http:\/\/sendgrid\.com\/docs\//),
        },
      ],
    });
    expect(simulator.pending()).toEqual([]);
  });

  test('names all missing fields in one answer', async () => {
    const response = await post({});
    expect(await response.json()).toMatchObject({
      errors: [{ field: 'from.email' }, { field: 'personalizations' }, { field: 'subject' }, { field: 'content' }],
    });
  });

  test.each([
    ['1,000 recipients', { personalizations: [{ to: users(1_000) }] }],
    ['the same address in two personalizations', { personalizations: [{ to: [user] }, { to: [user] }] }],
    ['text, HTML and a calendar', { content: [plain, html, { type: 'text/calendar', value: 'BEGIN:VCALENDAR' }] }],
  ])('accepts %s', async (_, change) => {
    expect((await post({ ...body, ...change })).status).toBe(202);
  });
});

describe('Event Webhook', () => {
  test.each([
    ['user', ['processed', 'delivered']],
    ['bounce', ['processed', 'bounce']],
    ['blocked', ['processed', 'bounce']],
    ['dropped', ['dropped']],
    ['deferred', ['processed', 'deferred', 'delivered']],
    ['complaint', ['processed', 'delivered', 'spamreport']],
  ])('posts the outcome of a mail to %s@…: %j', async (localPart, expected) => {
    await send({ to: `${localPart}@example.com` });
    await simulator.idle();
    expect(eventsIn(receiver.posts).map(({ event }) => event)).toEqual(expected);
  });

  test('has the fields of the documented events', async () => {
    const messageId = await send({ to: 'Bounce@example.com', customArgs: { mailId: 'm-1' }, categories: ['order'] });
    await simulator.idle();
    const [processed, bounce] = eventsIn(receiver.posts);
    const common = {
      email: 'Bounce@example.com',
      timestamp: expect.closeTo(Date.now() / 1000, -1),
      sg_event_id: expect.stringMatching(/^[\w-]+$/),
      sg_message_id: expect.stringMatching(new RegExp(`^${messageId}\\.recvd-.*-1\\.0$`)),
      'smtp-id': expect.stringContaining(`<${messageId}@`),
      category: ['order'],
      mailId: 'm-1',
    };
    expect(processed).toEqual({ ...common, event: 'processed' });
    expect(bounce).toEqual({
      ...common,
      event: 'bounce',
      type: 'bounce',
      status: '5.1.1',
      reason: expect.stringMatching(/^550 5\.1\.1 /),
      bounce_classification: 'Invalid Address',
      ip: '149.72.0.1',
      tls: 1,
    });
  });

  test('marks a soft bounce by its type', async () => {
    await send({ to: 'blocked@example.com' });
    await simulator.idle();
    expect(eventsIn(receiver.posts)[1]).toMatchObject({ event: 'bounce', type: 'blocked', status: '4.2.2' });
  });

  test('gives each recipient separate events and message ids', async () => {
    await send({ to: ['a@example.com', 'b@example.com'], cc: 'c@example.com', bcc: 'd@example.com' });
    await simulator.idle();
    const events = eventsIn(receiver.posts);
    expect(new Set(events.map(({ sg_event_id }) => sg_event_id)).size).toBe(8);
    expect(new Set(events.map(({ sg_message_id }) => sg_message_id)).size).toBe(4);
  });

  test('prefers fields to custom arguments of the same name', async () => {
    await send({ to: 'user@example.com', customArgs: { email: 'other@example.com', event: 'open', mine: 'kept' } });
    await simulator.idle();
    expect(eventsIn(receiver.posts)[0]).toMatchObject({ email: 'user@example.com', event: 'processed', mine: 'kept' });
  });

  test('prefers custom arguments of a personalization to those of the request', async () => {
    const to = [{ email: 'user@example.com' }];
    await post({ ...body, custom_args: { a: '1', b: '1' }, personalizations: [{ to, custom_args: { b: '2' } }] });
    await simulator.idle();
    expect(eventsIn(receiver.posts)[0]).toMatchObject({ a: '1', b: '2' });
  });

  test("posts events that are due together in one post, in the raw form of SendGrid's", async () => {
    await send({ to: 'bounce@example.com' });
    await simulator.idle();
    expect(receiver.posts).toHaveLength(1);
    const [first] = receiver.posts;
    expect(first?.headers).toMatchObject({
      'user-agent': 'SendGrid Event API',
      'content-type': 'application/json;charset=utf-8',
    });
    const text = first?.body.toString();
    expect(text).toMatch(/^\[\{.*\},\r\n\{.*\}\]\r\n$/);
    expect(text).toContain('\\u003chttps://support.google.com/mail/?p=NoSuchUser\\u003e');
    expect(text).not.toMatch(/[<>]/);
  });

  test('signs the timestamp and the raw bytes', async () => {
    await send({ to: '日本語 <user@example.com>', customArgs: { name: '山田' } });
    await simulator.idle();
    const [first] = receiver.posts;
    const header = (name: string) => String(first?.headers[`x-twilio-email-event-webhook-${name}`]);
    const signed = Buffer.concat([Buffer.from(header('timestamp')), first?.body ?? Buffer.of()]);
    // The key in the form that SendGrid's console shows: base64 of SPKI DER.
    const shown = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    const key = createPublicKey({ key: Buffer.from(shown, 'base64'), format: 'der', type: 'spki' });
    expect(verify('sha256', signed, key, Buffer.from(header('signature'), 'base64'))).toBe(true);
  });

  test('starts a new post at 768 KB', async () => {
    const to = Array.from({ length: 1_000 }, (_, index) => ({ email: `user${index}@example.com` }));
    await post({ ...body, personalizations: [{ to }], custom_args: { padding: 'x'.repeat(1_000) } });
    await simulator.idle();
    expect(receiver.posts.length).toBeGreaterThan(2);
    expect(Math.max(...receiver.posts.map(({ body }) => body.length))).toBeLessThanOrEqual(768 * 1024);
    expect(eventsIn(receiver.posts)).toHaveLength(2_000);
  });

  test('posts after the delay', async () => {
    await simulator.close();
    await start({ delayMs: 60_000 });
    const sentAt = Date.now();
    await send({ to: 'deferred@example.com' });
    const delays = simulator.pending().map(({ dueAt }) => Math.round((dueAt - sentAt) / 60_000));
    expect(delays.slice(-2)).toEqual([1, 2]);
  });

  test('repeats a post at growing intervals until it is answered with 2xx', async () => {
    await simulator.close();
    await start({ firstRetryMs: 2 });
    receiver.answerNext(500, 401, 302, 204);
    await send({ to: 'dropped@example.com' });
    await simulator.idle();
    expect(lines).toEqual([
      'SendGrid simulator: webhook answered 500, next try in 0.002 s',
      'SendGrid simulator: webhook answered 401, next try in 0.004 s',
      'SendGrid simulator: webhook answered 302, next try in 0.008 s',
    ]);
    expect(receiver.posts).toHaveLength(4);
    expect(new Set(receiver.posts.map(({ body }) => body.toString())).size).toBe(1);
  });

  test('gives a post up after 24 hours', async () => {
    receiver.answerNext(500);
    const since = Date.now() - 24 * 3_600_000;
    await simulator.close();
    await start({});
    simulator.restore([{ event: { event: 'delivered' }, dueAt: 0, since, attempts: 1_440 }]);
    await simulator.idle();
    expect(lines).toEqual(['SendGrid simulator: webhook answered 500, 1 event lost']);
  });
});

describe('the API for webhook settings', () => {
  const events = { processed: true, deferred: true, delivered: true, bounce: true, dropped: true, spam_report: true };
  const call = async (method: string, path: string, json?: object, key = 'SG.webhooks.simulated') => {
    const response = await fetch(`${simulator.url}/v3${path}`, {
      method,
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      ...(json && { body: JSON.stringify(json) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  const settings = '/user/webhooks/event/settings';

  test('each key has the permissions that its name says', async () => {
    expect((await call('GET', '/scopes', undefined, API_KEY)).status).toBe(401);
    const scopes = async (key: string) => (await call('GET', '/scopes', undefined, key)).body.scopes;
    expect(await scopes('SG.sending.simulated')).toEqual(['mail.send', 'sender_verification_eligible', '2fa_required']);
    expect(await scopes('SG.full.simulated')).toContain('api_keys.create');
    expect(await call('GET', `${settings}/all`, undefined, 'SG.sending.simulated')).toMatchObject({ status: 403 });
  });

  test('one webhook exists at the start', async () => {
    const { body } = await call('GET', `${settings}/all`);
    const shown = { ...events, enabled: true, url: receiver.url, open: false, public_key: expect.any(String) };
    expect(body).toMatchObject({ max_allowed: 5, webhooks: [shown] });
  });

  test('a webhook can be created, signed, changed and deleted, and posts follow its settings', async () => {
    const [first] = (await call('GET', `${settings}/all`)).body.webhooks;
    expect((await call('POST', settings, { url: receiver.url, ...events })).body.errors[0].message).toMatch(/exists/);
    expect(await call('DELETE', `${settings}/${first.id}`)).toEqual({ status: 204, body: undefined });
    const { status, body: made } = await call('POST', settings, { url: receiver.url, enabled: false, ...events });
    expect({ status, made }).toMatchObject({ status: 201, made: { enabled: false, open: false } });
    expect(made).not.toHaveProperty('public_key');

    const { body: signed } = await call('PATCH', `${settings}/signed/${made.id}`, { enabled: true });
    await call('PATCH', `${settings}/${made.id}`, { url: receiver.url, enabled: true, delivered: true });
    await send({ to: 'taro@example.jp' });
    await simulator.idle();
    const [post] = receiver.posts;
    expect(JSON.parse(post?.body.toString() ?? '')).toMatchObject([{ event: 'delivered' }]);
    const key = createPublicKey({ key: Buffer.from(signed.public_key, 'base64'), format: 'der', type: 'spki' });
    expect(verifies(post, key)).toBe(true);
    expect(await call('PATCH', `${settings}/none`, { url: receiver.url })).toMatchObject({ status: 404 });
  });

  test("a failed post is repeated to the webhook's new address", async () => {
    await simulator.close();
    await start({ firstRetryMs: 1, webhookUrl: 'http://127.0.0.1:1/' });
    await send({ to: 'user@example.com' });
    await vi.waitFor(() =>
      expect(lines[0]).toBe('SendGrid simulator: webhook did not answer: ECONNREFUSED, next try in 0.001 s'),
    );
    const [webhook] = (await call('GET', `${settings}/all`)).body.webhooks;
    await call('PATCH', `${settings}/${webhook.id}`, { ...webhook, url: receiver.url });
    await simulator.idle();
    expect(eventsIn(receiver.posts)).toHaveLength(2);
  });

  test('the test call posts a sample of each kind, signed with the key of the named webhook', async () => {
    const [first] = (await call('GET', `${settings}/all`)).body.webhooks;
    expect(await call('POST', '/user/webhooks/event/test', { id: first.id, url: receiver.url })).toMatchObject({
      status: 204,
    });
    await vi.waitFor(() => expect(receiver.posts).toHaveLength(1));
    const samples = JSON.parse(receiver.posts[0]?.body.toString() ?? '');
    expect(samples).toHaveLength(11);
    expect(new Set(samples.map((sample: { sg_message_id: string }) => sample.sg_message_id)).size).toBe(1);
    expect(verifies(receiver.posts[0], publicKey)).toBe(true);
  });
});

function verifies(post: ReceivedPost | undefined, key: KeyObject): boolean {
  const timestamp = String(post?.headers['x-twilio-email-event-webhook-timestamp']);
  const signature = Buffer.from(String(post?.headers['x-twilio-email-event-webhook-signature']), 'base64');
  return verify('sha256', Buffer.concat([Buffer.from(timestamp), post?.body ?? Buffer.alloc(0)]), key, signature);
}

describe('close', () => {
  test('frees the port, and leaves the events to the next simulator', async () => {
    await simulator.close();
    await start({ delayMs: 60_000 });
    await send({ to: 'dropped@example.com' });
    await send({ to: 'user@example.com' });
    await simulator.close();
    const saved = JSON.stringify(simulator.pending().map((pending) => ({ ...pending, dueAt: 0 })));

    const port = Number(new URL(simulator.url).port);
    await start({ port });
    simulator.restore(sendGridPendingSchema.parse(JSON.parse(saved)));
    await simulator.idle();
    expect(eventsIn(receiver.posts).map(({ event }) => event)).toEqual(
      expect.arrayContaining(['dropped', 'processed', 'delivered']),
    );
  });

  test('does not wait for a client that stays connected', async () => {
    await (await post(body, { headers: { ...headers, Connection: 'keep-alive' } })).text();
    await simulator.close();
    await expect(post(body)).rejects.toThrow();
  });

  test('names a port that cannot be used', async () => {
    const port = Number(new URL(simulator.url).port);
    await expect(
      startSendGridSimulator({ port, apiKey: () => '', privateKey, webhookUrl: receiver.url, delayMs: 0 }),
    ).rejects.toThrow(`Cannot listen on 127.0.0.1:${port} for SendGrid's simulator: another program has the port`);
  });
});
