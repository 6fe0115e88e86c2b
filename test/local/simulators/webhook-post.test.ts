import http from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listen } from '../../../local/ports.ts';
import { postToWebhook } from '../../../local/simulators/webhook-post.ts';

const post = { headers: { 'Content-Type': 'text/plain' }, body: Buffer.from('hello') };
const { signal } = new AbortController();

let answer: (response: http.ServerResponse) => void;
let server: http.Server;
let url: string;

beforeEach(async () => {
  server = http.createServer((_request, response) => answer(response));
  url = `http://127.0.0.1:${await listen(server, 0, 'the webhook of the tests')}/`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

test.each([200, 202, 204, 299])('%d is success', async (status) => {
  answer = (response) => response.writeHead(status).end();
  expect(await postToWebhook(url, post, signal)).toBeUndefined();
});

test.each([302, 400, 401, 404, 500, 503])('%d is a refusal', async (status) => {
  answer = (response) => response.writeHead(status, { Location: '/elsewhere' }).end();
  expect(await postToWebhook(url, post, signal)).toBe(`webhook answered ${status}`);
});

test('no answer in time is a refusal', async () => {
  answer = () => undefined;
  expect(await postToWebhook(url, post, signal, 10)).toBe('webhook did not answer: not within 0.01 s');
});

test('an incomplete answer in time is a refusal', async () => {
  answer = (response) => response.writeHead(200, { 'Content-Length': 10 }).write('half');
  expect(await postToWebhook(url, post, signal, 50)).toMatch(/^webhook did not answer: /);
});

test('a broken connection is a refusal', async () => {
  answer = (response) => response.destroy();
  expect(await postToWebhook(url, post, signal)).toBe('webhook did not answer: ECONNRESET');
});

test('an address that is not an http: URL is a refusal', async () => {
  expect(await postToWebhook('https://127.0.0.1/', post, signal)).toMatch(/^webhook cannot be posted to: .*https:/);
});

test('can be aborted', async () => {
  const controller = new AbortController();
  answer = () => controller.abort();
  expect(await postToWebhook(url, post, controller.signal)).toBe('webhook did not answer: ABORT_ERR');
});
