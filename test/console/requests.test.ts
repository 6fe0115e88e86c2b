import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createConsole } from '../../console/server/console.ts';
import { CONSOLE_HEADER } from '../../console/shared/api.ts';
import { listen } from '../../local/ports.ts';

// No server listens there. Calls that are refused here are refused before any table is read.
const client = DynamoDBDocumentClient.from(
  new DynamoDBClient({
    endpoint: 'http://127.0.0.1:1',
    region: 'ap-northeast-1',
    credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
    maxAttempts: 1,
  }),
);
const reported: string[] = [];
const server = createServer(
  createConsole({
    mode: 'deployed',
    tables: { client, noNewsHours: 4, mail: 'Mail', sentLog: 'SentLog', bounce: 'Bounce' },
    canSend: false,
    token: 'token-of-the-tests',
    report: (line) => reported.push(line),
  }),
);
let port = 0;
beforeAll(async () => {
  port = await listen(server, 0, 'the page');
});
beforeEach(() => {
  reported.length = 0;
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
  client.destroy();
});

/** A call as the page makes it, with some changes. A header that is undefined is left out. */
async function ask(
  path: string,
  change: { method?: string; headers?: Record<string, string | undefined>; body?: string } = {},
) {
  const headers = {
    host: `127.0.0.1:${port}`,
    origin: `http://127.0.0.1:${port}`,
    'sec-fetch-site': 'same-origin',
    'content-type': 'application/json',
    [CONSOLE_HEADER]: '1',
    authorization: 'Bearer token-of-the-tests',
    ...change.headers,
  };
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
  const { method = 'POST' } = change;
  const request = httpRequest({ host: '127.0.0.1', port, path, method, headers: given, agent: false });
  request.end(method !== 'POST' ? undefined : (change.body ?? '{}'));
  const [response] = await once(request, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

test('the page’s own call is answered', async () => {
  const answer = await ask('/api/session');
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ mode: 'deployed', canSend: false, canTry: false });
  expect(
    (await ask('/api/session', { headers: { host: `localhost:${port}`, origin: `http://localhost:${port}` } })).status,
  ).toBe(200);
});

test('a host name that an attacker points at this machine is refused, for the page and its data', async () => {
  for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1:${port + 1}`]) {
    expect((await ask('/', { method: 'GET', headers: { host, origin: undefined } })).status, host).toBe(421);
    expect((await ask('/api/session', { headers: { host, origin: `http://${host}` } })).status, host).toBe(421);
  }
});

test('another site’s requests are refused, in every form', async () => {
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `http://127.0.0.1:${port + 1}` },
    { origin: `https://127.0.0.1:${port}` },
    { origin: undefined, 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { [CONSOLE_HEADER]: undefined },
  ]) {
    expect((await ask('/api/session', { headers })).status, JSON.stringify(headers)).toBe(403);
  }
  const preflight = await ask('/api/send', { method: 'OPTIONS', headers: { origin: 'https://evil.example' } });
  expect(preflight.status).toBe(403);
  expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
});

test('without the token, a client gets the empty page, but no data', async () => {
  for (const authorization of [undefined, '', 'Bearer', 'Bearer token-of-the-test', 'Basic token-of-the-tests']) {
    for (const path of ['/api/session', '/api/mails', '/api/send']) {
      expect(await ask(path, { headers: { authorization } }), authorization).toMatchObject({
        status: 401,
        body: expect.stringContaining('open the address that npm run console printed'),
      });
    }
    expect((await ask('/', { method: 'GET', headers: { authorization, origin: undefined } })).status).toBe(200);
  }
});

test('a call must be posted JSON of the right shape', async () => {
  expect((await ask('/api/session', { method: 'GET' })).status).toBe(405);
  expect((await ask('/api/session', { headers: { 'content-type': 'text/plain' } })).status).toBe(415);
  expect((await ask('/api/session', { body: '{' })).status).toBe(400);
  expect((await ask('/api/story', { body: '{"messageId":1}' })).status).toBe(400);
  expect((await ask('/api/nothing')).status).toBe(404);
  expect((await ask('/../package.json', { method: 'GET' })).status).toBe(404);
});

test('without --allow-send, it sends no mail and posts no samples', async () => {
  const mail = { provider: 'sendgrid', from: 'a@example.com', to: ['b@example.com'], subject: 's', content: 'c' };
  expect(await ask('/api/send', { body: JSON.stringify(mail) })).toMatchObject({
    status: 403,
    body: expect.stringContaining('--allow-send'),
  });
  expect((await ask('/api/resend', { body: '{"id":"x"}' })).status).toBe(403);
  const decision = { email: 'a@example.jp', outcome: 'allowed' };
  expect((await ask('/api/decide', { body: JSON.stringify(decision) })).status).toBe(403);
  const post = { provider: 'sendgrid', contentType: 'application/json', body: '[]' };
  expect((await ask('/api/post', { body: JSON.stringify(post) })).status).toBe(403);
  expect(reported).toEqual([]);
});

test('every answer has the security headers, and the page loads nothing inline or from other sites', async () => {
  const page = await ask('/', { method: 'GET', headers: { origin: undefined } });
  const built = Array.from(page.body.matchAll(/"(\/console-\w+\.\w+)"/g), ([, path = '']) => path);
  expect(built).toHaveLength(2);
  for (const path of ['/', ...built, '/icon.svg', '/nothing']) {
    const { headers, body } = await ask(path, { method: 'GET', headers: { origin: undefined } });
    expect(headers, path).toMatchObject({
      'content-security-policy': expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    expect(String(headers['content-security-policy'])).not.toMatch(/unsafe|\*/);
    if (path === '/') expect(body).not.toMatch(/<script>|style=|https?:/);
  }
});

test("a refusal by AWS is shown with AWS's message", async () => {
  const answer = await ask('/api/mails');
  expect(answer.status).toBe(500);
  expect(answer.body).toContain('ECONNREFUSED');
  expect(reported).toEqual([expect.stringContaining('ECONNREFUSED')]);
});
