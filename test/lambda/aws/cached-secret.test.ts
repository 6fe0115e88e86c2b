import { createServer } from 'node:http';
import { expect, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod/mini';
import { cachedSecret, UnreadableSecret } from '../../../lambda/aws/cached-secret.ts';
import { listen } from '../../../local/ports.ts';

type Answer = { readonly value: string } | 'hang' | 'refuse';

/** A fake Secrets Manager that gives the answers that a test sets, and a secret that is read from it. */
async function secretOf(schema: z.ZodMiniType = z.object({ key: z.string() })) {
  const state: { answer: Answer; asked: number } = { answer: { value: '{"key":"first"}' }, asked: 0 };
  const server = createServer((request, response) => {
    state.asked++;
    request.resume();
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (state.answer === 'hang') return;
    if (state.answer === 'refuse') response.writeHead(400).end('{"__type":"AccessDeniedException"}');
    else response.end(JSON.stringify({ SecretString: state.answer.value }));
  });
  const port = await listen(server, 0, 'Secrets Manager');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', `http://127.0.0.1:${port}`);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => {
    vi.useRealTimers();
    vi.unstubAllEnvs();
    server.closeAllConnections();
    server.close();
  });
  return {
    state,
    read: cachedSecret('webhook-secret', schema),
    later: (ms: number) => vi.setSystemTime(Date.now() + ms),
  };
}

test('a secret is read once a minute', async () => {
  const { state, read, later } = await secretOf();
  expect(await read()).toEqual({ key: 'first' });
  state.answer = { value: '{"key":"second"}' };
  later(59_000);
  expect(await read()).toEqual({ key: 'first' });
  later(1_000);
  expect(await read()).toEqual({ key: 'second' });
  expect(state.asked).toBe(2);
});

test('while Secrets Manager hangs, the last value is returned in time, and few requests are made', async () => {
  const { state, read, later } = await secretOf();
  await read();
  state.answer = 'hang';
  later(61_000);
  const startedAt = performance.now();
  expect(await read()).toEqual({ key: 'first' });
  // Not a measurement. A receiver must answer within 8 s and still has to queue the post.
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  const { asked } = state;
  later(9_000);
  expect(await read()).toEqual({ key: 'first' });
  expect(state.asked).toBe(asked);

  state.answer = { value: '{"key":"second"}' };
  later(1_000);
  expect(await read()).toEqual({ key: 'second' });
});

test('a new value with the wrong shape is not used', async () => {
  const { state, read, later } = await secretOf();
  await read();
  for (const value of ['', '[]', '{"key":1}']) {
    state.answer = { value };
    later(61_000);
    expect(await read()).toEqual({ key: 'first' });
  }
});

test.each([
  ['refuse', 'Secrets Manager did not return it (AccessDeniedException)', true],
  [{ value: 'secret-text' }, 'its value is not JSON', false],
  [{ value: '{"key":1}' }, 'its value is not of the documented shape at key', false],
] as const)('what was never read is an error that says why: %j', async (answer, message, temporary) => {
  const { state, read } = await secretOf();
  state.answer = answer;
  const error = await read().catch((thrown) => thrown);
  expect(error).toBeInstanceOf(UnreadableSecret);
  expect(error).toMatchObject({ message, temporary });
});
