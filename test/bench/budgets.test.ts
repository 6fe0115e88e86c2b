import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { BUNDLE_GOALS, dynamoDbFiles } from '../../bench/figures/receivers.ts';
import { readPage, withArithmetic } from '../../bench/report.ts';
import { type BundleContents, bundleContents } from '../../bench/support/bundles.ts';
import { bounces, inTenPosts, queueInvocation } from '../../bench/support/posts.ts';
import { recordMessages } from '../../lambda/recording/record-messages.ts';

describe('bundles', () => {
  let made = new Map<string, BundleContents>();
  beforeAll(() => {
    made = bundleContents(Object.keys(BUNDLE_GOALS));
  });
  const contentsOf = (entry: string) => made.get(entry) ?? expect.unreachable();

  test.each(Object.entries(BUNDLE_GOALS))('%s has at most %i bytes', (entry, most) => {
    expect(contentsOf(entry).bytes).toBeLessThanOrEqual(most);
  });

  test.each(['receive-sendgrid', 'receive-customers-mail-cloud'])(
    '%s contains neither a DynamoDB client nor the texts of the classification',
    (entry) => {
      const { files } = contentsOf(entry);
      expect(dynamoDbFiles(files)).toEqual([]);
      expect(files.filter((file) => file.endsWith('reply-texts.ts'))).toEqual([]);
    },
  );

  test('the checked file names match: record-events contains one of them', () => {
    expect(dynamoDbFiles(contentsOf('record-events').files)).not.toEqual([]);
  });
});

describe('requests to DynamoDB', () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllEnvs();
  });

  /** @param leftMs the time that is left to the invocation */
  async function requestsFor(invocation: ReturnType<typeof queueInvocation>, leftMs?: number): Promise<number> {
    return (await inputsFor(invocation, leftMs)).length;
  }

  /** The inputs of the recorder's requests when the tables are empty. */
  async function inputsFor({ Records }: ReturnType<typeof queueInvocation>, leftMs = 60_000): Promise<object[]> {
    vi.stubEnv('STACK_NAME', 'Budgets');
    vi.useFakeTimers({ toFake: ['Date'] });
    const send = vi.fn(async (_command: { input: object }) => ({}));
    const client = { send } as unknown as DynamoDBDocumentClient;
    const store = { client, sentLogTable: 'SentLog', bounceTable: 'Bounce' };
    const options = { store, retentionDays: 180, timeZone: 'Asia/Tokyo', endsAtMs: Date.now() + leftMs };
    expect(await recordMessages(Records, options)).toEqual({ batchItemFailures: [] });
    return send.mock.calls.map(([{ input }]) => input);
  }

  test('a post of bounces needs 0.10 requests per event', async () => {
    expect(await requestsFor(queueInvocation('sendgrid', bounces({ tag: 'budget', count: 300 })))).toBe(30);
  });

  test.each([60_000, 60_001])(
    'ten posts of ten events need as many as one of a hundred events, with %i ms left',
    async (leftMs) => {
      const events = bounces({ tag: 'budget', count: 100 });
      expect(await requestsFor(queueInvocation('sendgrid', events), leftMs)).toBe(10);
      expect(await requestsFor(queueInvocation('sendgrid', ...inTenPosts(events)), leftMs)).toBe(10);
    },
  );

  test('deliveries of Customers Mail Cloud need 0.04 requests per event', async () => {
    expect(await requestsFor(queueInvocation('customers-mail-cloud', deliveries('budget', 100)))).toBe(4);
  });

  test('each row costs one write unit for the table and one for each index', async () => {
    const inputs = [
      ...(await inputsFor(queueInvocation('sendgrid', bounces({ tag: 'budget', count: 100 })))),
      ...(await inputsFor(queueInvocation('customers-mail-cloud', deliveries('budget', 100)))),
    ];
    const rows = inputs.flatMap((input) =>
      'RequestItems' in input ? Object.values(input.RequestItems as Record<string, unknown>).flat() : [],
    );
    const puts = rows.filter((row) => JSON.stringify(row).startsWith('{"PutRequest"'));
    expect(puts).toHaveLength(300);
    // A unit is 1,024 bytes. The JSON text is longer than the size that DynamoDB counts.
    for (const put of puts) expect(Buffer.byteLength(JSON.stringify(put))).toBeLessThanOrEqual(1024);
  });

  test('opens and clicks need no request', async () => {
    expect(await requestsFor(queueInvocation('sendgrid', opensAndClicks(100)))).toBe(0);
  });
});

test('the calculations in docs/performance.md are current', async () => {
  const page = await readPage();
  expect(page === withArithmetic(page), 'npm run bench -- --arithmetic writes it').toBe(true);
});

/** Events that are not stored. */
function opensAndClicks(count: number): Record<string, unknown>[] {
  return bounces({ tag: 'irrelevant', count }).map(({ reason, status, type, ...event }, n) => ({
    ...event,
    event: n % 2 === 0 ? 'open' : 'click',
    useragent: 'Mozilla/5.0',
  }));
}

/** Deliveries of Customers Mail Cloud, as its receiver queues them: two events per mail, queued and succeeded. */
function deliveries(tag: string, count: number): { eventType: string; entry: Record<string, string> }[] {
  return Array.from({ length: count }, (_, n) => ({
    eventType: 'deliveries',
    entry: {
      reason: '',
      sourceIp: '100.100.100.1',
      returnPath: 'info@return.pro.smtps.jp',
      created: `2026-09-21 14:03:${String(n % 60).padStart(2, '0')}`,
      subject: 'ご注文の確認',
      apiData: '',
      messageId: `<${tag}-${n >> 1}@example.com>`,
      from: 'info@example.com',
      to: `recipient-${n >> 1}@example.jp`,
      senderIp: n % 2 === 0 ? '' : '100.100.100.3',
      status: n % 2 === 0 ? 'queued' : 'succeeded',
    },
  }));
}
