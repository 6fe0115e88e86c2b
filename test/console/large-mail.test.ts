import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseOutputs } from '../../bin/support/outputs.ts';
import { tablesOf } from '../../bin/support/stack-tables.ts';
import { bounces } from '../../console/server/bounces.ts';
import { story, unsent } from '../../console/server/mails.ts';
import { recipient } from '../../console/server/recipients.ts';
import { batchPut } from '../../lambda/aws/dynamodb.ts';
import type { Tables } from '../../lambda/recipients/tables.ts';
import { runningStack } from '../end-to-end/running-stack.ts';
import { whenFinished } from '../temporary.ts';
import { bounceOf, writeBounces } from './bounce-rows.ts';

const RECIPIENTS = 1_000;
const SENT_MS = Date.parse('2026-11-01T12:00:00.000Z');
const messageId = 'to-a-thousand';

/** An event for a recipient. Its reason has the maximum length, so all events together exceed one read of DynamoDB. */
const event = (n: number, state: string, atMs: number) => ({
  messageId,
  entry: `event#${new Date(atMs).toISOString()}#${state}-${n}`,
  state,
  recipient: `someone-${n}@example.jp`,
  reason: '届'.repeat(300),
  fullMessageId: `${messageId}.${n}`,
  eventId: `${state}-${n}`,
});
const bounce = bounceOf(`${messageId}.7`, SENT_MS + 3_600_000, { eventId: 'bounced-7', messageId });

const stack = runningStack();
let tables: Tables;
beforeAll(async () => {
  tables = tablesOf(parseOutputs(stack().local.outputs));
  whenFinished(() => tables.client.destroy());
  const log = { messageId, entry: 'mail', from: 'a@example.com', to: 'someone-7@example.jp', subject: 'News' };
  const told = [
    ...Array.from({ length: RECIPIENTS }, (_, n) => event(n, 'queued', SENT_MS + n)),
    event(7, 'bounced', SENT_MS + 3_600_000),
    log,
  ];
  const puts = [...told.map((row) => ({ table: tables.sentLog, row })), { table: tables.bounce, row: bounce }];
  for (let start = 0; start < puts.length; start += 250) {
    expect(await batchPut(tables.client, puts.slice(start, start + 250), AbortSignal.timeout(60_000))).toEqual([]);
  }
});

test('a bounce of a mail to a thousand recipients is found by message id', async () => {
  const found = await bounces(tables, { filter: { search: messageId } });
  expect(found.rows).toMatchObject([{ fullMessageId: bounce.fullMessageId, toEmail: bounce.toEmail }]);
});

test.each([
  ['Sales#1@example.jp', 'sales#1@example.jp'],
  ['"a..b"@docomo.ne.jp', 'a..b@docomo.ne.jp'],
  ['taro@例え.jp', 'taro@xn--r8jz45g.jp'],
  ['taro@xn--r8jz45g.jp', 'taro@xn--r8jz45g.jp'],
  ['<m-sales#1@example.com>#sales#1@example.jp', 'sales#1@example.jp'],
])('the bounces of a recipient or of a full message id are found by %s', async (search, toEmail) => {
  const fullMessageId = `<m-${toEmail.split('@')[0]}@example.com>#${toEmail}`;
  await writeBounces(stack(), [bounceOf(fullMessageId, SENT_MS, { toEmail })]);
  const found = await bounces(tables, { filter: { search } });
  expect(found.rows).toMatchObject([{ fullMessageId, toEmail }]);
});

test('the story of a mail to a thousand recipients has all events and the log row', async () => {
  const told = await story(tables, { messageId });
  expect(told).toMatchObject({ more: false, log: { subject: 'News' }, bounces: [{ eventId: 'bounced-7' }] });
  expect(told.events).toHaveLength(RECIPIENTS + 1);
});

test('the first list of a deployed stack, and the page of a recipient with very many mails, need at most five requests each', async () => {
  const busy = 'busy@example.jp';
  const reported = Array.from({ length: 350 }, (_, n) => ({
    ...event(n, 'bounced', SENT_MS + n),
    messageId: `busy-${n}`,
    recipient: busy,
    fullMessageId: `busy-${n}.recvd`,
  }));
  const puts = reported.map((row) => ({ table: tables.sentLog, row }));
  expect(await batchPut(tables.client, puts, AbortSignal.timeout(60_000))).toEqual([]);
  let requests = 0;
  // Added below the SDK's retries, so that each retry counts as a request.
  tables.client.middlewareStack.add(
    (next) => (args) => {
      requests++;
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low', name: 'count' },
  );
  onTestFinished(() => void tables.client.middlewareStack.remove('count'));

  expect((await unsent(tables, {})).items).toEqual([]);
  expect(requests).toBe(1);
  requests = 0;
  const first = await recipient(tables, { email: busy });
  expect([first.mails.length, first.cursor === undefined]).toEqual([100, false]);
  expect(requests).toBe(4);
  requests = 0;
  const all = [...first.mails];
  for (let { cursor } = first; cursor !== undefined; ) {
    const next = await recipient(tables, { email: busy, cursor });
    all.push(...next.mails);
    cursor = next.cursor;
  }
  expect(new Set(all.map(({ messageId }) => messageId)).size).toBe(350);
});
