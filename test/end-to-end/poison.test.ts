import { describe, expect, test } from 'vitest';
import { API_KEY, post, type Row, runningStack } from './running-stack.ts';

const stack = runningStack();

const bounce = (id: string, change: object = {}) => ({
  email: `${id}@example.jp`,
  timestamp: Math.floor(Date.now() / 1000),
  event: 'bounce',
  type: 'bounce',
  reason: '550 5.1.1 no such user',
  sg_event_id: id,
  sg_message_id: `${id}.recvd-1`,
  ...change,
});
const deep = (levels: number) => `${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`;

describe('one bad event among twenty never harms the others', () => {
  test.each<[string, string | object]>([
    ['no object', '"x"'],
    ['null', 'null'],
    ['an unknown event', { event: 'levitated', sg_message_id: 'x', sg_event_id: 'y' }],
    ['10,000 levels', deep(10_000)],
    [
      '10,000 levels inside a bounce',
      JSON.stringify(bounce('deep', { extra: 0 })).replace('"extra":0', `"extra":${deep(10_000)}`),
    ],
    ['a reason of 450 KB', bounce('long', { reason: `550 5.1.1 ${'あ'.repeat(150_000)}` })],
    ['a key of 100 KB', bounce('key', { sg_message_id: 'm'.repeat(100_000), sg_event_id: 'e'.repeat(100_000) })],
    [
      '2,000 fields of 200 characters',
      bounce('wide', Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`field ${i}`, 'x'.repeat(200)]))),
    ],
    [
      'a lone surrogate in every field',
      '{"event":"bounce","email":"\\ud800@x","reason":"\\udfff","type":"\\ud800","sg_event_id":"\\ud800","sg_message_id":"\\ud800.a","\\ud800":"\\ud800"}',
    ],
    ['NUL', bounce('nul', { reason: '550\u0000', sg_event_id: '\u0000' })],
    [
      '__proto__ and constructor',
      '{"event":"bounce","sg_event_id":"p","sg_message_id":"p","__proto__":{"a":1},"constructor":{"name":"Set"},"hasOwnProperty":1}',
    ],
    ['a key twice', '{"event":"open","event":"bounce","sg_event_id":"t1","sg_event_id":"t2","sg_message_id":"t"}'],
    [
      'numbers out of range',
      '{"event":"bounce","sg_event_id":"n","sg_message_id":"n","timestamp":1e400,"a":1e308,"b":-1e-320,"c":123456789012345678901234567890}',
    ],
    ['no message id, no event id', bounce('none', { sg_message_id: null, sg_event_id: '' })],
    ['an address that is a list', bounce('list', { email: ['a'] })],
  ])('%s', async (name, bad) => {
    const prefix = name.replaceAll(/\W/g, '');
    const good = Array.from({ length: 19 }, (_, i) => JSON.stringify(bounce(`${prefix}-${i}`)));
    const body = `[${[...good.slice(0, 10), typeof bad === 'string' ? bad : JSON.stringify(bad), ...good.slice(10)].join(',')}]`;
    const before = (await stack().allBounces()).length;
    await expect(stack().postSendGrid(undefined, { body })).resolves.toEqual({ status: 200, body: { received: 20 } });
    await stack().recorded();
    // Each event is a failure or unrecognized.
    expect((await stack().allBounces()).length - before).toBe(20);
  });
});

test('a shortened text says so, and keeps its start', async () => {
  await stack().postSendGrid([bounce('shortened', { reason: `550 5.1.1 ${'x'.repeat(450_000)}` })]);
  await stack().recorded();
  const [row] = await stack().bounces('shortened');
  expect(row).toMatchObject({
    shortened: true,
    smtpCode: '550',
    enhancedStatusCode: '5.1.1',
    reason: expect.stringMatching(/^550 5\.1\.1 x+… \(shortened, 450010 bytes\)$/),
  });
});

test('an unrecognized event is stored as it came', async () => {
  const event = { event: 'levitated', sg_message_id: 'unknown', sg_event_id: 'unknown', height: 3 };
  await stack().postSendGrid([event]);
  await stack().recorded();
  const [row] = (await stack().allBounces()).filter(({ fullMessageId }) => fullMessageId === 'unknown');
  expect(row).toMatchObject({ outcome: 'unrecognized', matched: false });
  expect(JSON.parse(String(row?.['rawEvent']))).toEqual(event);
});

test('a post of 10,000 events is accepted, and a post of 300 deliveries is recorded completely', async () => {
  const events = Array.from({ length: 300 }, (_, i) => ({
    event: 'delivered',
    sg_message_id: 'many.recvd-1',
    sg_event_id: `many-${i}`,
    timestamp: 1_790_000_000,
    email: `a-${i}@b`,
  }));
  const opens = Array.from({ length: 10_000 }, () => ({ event: 'open' }));
  await expect(stack().postSendGrid(opens)).resolves.toEqual({ status: 200, body: { received: 10_000 } });
  await expect(stack().postSendGrid(events)).resolves.toEqual({ status: 200, body: { received: 300 } });
  await stack().recorded();
  expect(await stack().story('many')).toHaveLength(300);
});

test('bad entries of Customers Mail Cloud are stored', async () => {
  const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
  const before = await stack().allBounces();
  const body = `{"api_key":"${API_KEY}","event":{"bounces":[${deep(10_000)},null,{}],"surprises":[1],"__proto__":[2],"deliveries":{"status":"levitated"}}}`;
  await expect(post(url, body, { headers: { 'content-type': 'application/json' } })).resolves.toEqual({
    status: 200,
    body: { received: 6 },
  });
  await stack().recorded();
  const keys = new Set(before.map(keyOf));
  const kept = (await stack().allBounces()).filter((row) => !keys.has(keyOf(row)));
  expect(kept.map(({ provider, outcome }) => `${provider} ${outcome}`)).toEqual(
    Array.from({ length: 6 }, () => 'customers-mail-cloud unrecognized'),
  );
});

const keyOf = ({ fullMessageId, eventId }: Row) => JSON.stringify([fullMessageId, eventId]);
