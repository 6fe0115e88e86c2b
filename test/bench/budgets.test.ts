import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { BUNDLE_GOALS, dynamoDbFiles } from '../../bench/figures/receivers.ts';
import { readPage, withArithmetic } from '../../bench/report/report.ts';
import { type BundleContents, bundleContents } from '../../bench/support/bundles.ts';
import { bounces, deliveries, inTenPosts, opensAndClicks, queueInvocation } from '../../bench/support/posts.ts';
import { recordMessages } from '../../lambda/recording/record-messages.ts';

describe('bundles', () => {
  const made = new Map<string, BundleContents>();
  const contentsOf = (entry: string) => {
    const contents = made.get(entry) ?? bundleContents(entry);
    made.set(entry, contents);
    return contents;
  };

  test.each(Object.entries(BUNDLE_GOALS))('%s has at most %i bytes', (entry, most) => {
    expect(contentsOf(entry).bytes).toBeLessThanOrEqual(most);
  });

  test.each(['receive-sendgrid', 'receive-customers-mail-cloud'])('%s holds no DynamoDB client', (entry) => {
    expect(dynamoDbFiles(contentsOf(entry).files)).toEqual([]);
  });

  test('record-events holds one: the files are found by their names', () => {
    expect(dynamoDbFiles(contentsOf('record-events').files)).not.toEqual([]);
  });
});

describe('requests to DynamoDB', () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllEnvs();
  });

  /** @param leftMs time left of the invocation */
  async function requestsFor({ Records }: ReturnType<typeof queueInvocation>, leftMs = 60_000): Promise<number> {
    vi.stubEnv('STACK_NAME', 'Budgets');
    vi.useFakeTimers({ toFake: ['Date'] });
    const send = vi.fn(async () => ({}));
    const client = { send } as unknown as DynamoDBDocumentClient;
    const store = { client, sentLogTable: 'SentLog', bounceTable: 'Bounce' };
    const options = { store, retentionDays: 180, timeZone: 'Asia/Tokyo', endsAtMs: Date.now() + leftMs };
    expect(await recordMessages(Records, options)).toEqual({ batchItemFailures: [] });
    return send.mock.calls.length;
  }

  test('a post of bounces costs 0.10 requests an event', async () => {
    expect(await requestsFor(queueInvocation('sendgrid', bounces({ tag: 'budget', count: 300 })))).toBe(30);
  });

  test.each([60_000, 60_001])(
    'ten posts of ten events cost as many as one of a hundred, with %i ms left',
    async (leftMs) => {
      const events = bounces({ tag: 'budget', count: 100 });
      expect(await requestsFor(queueInvocation('sendgrid', events), leftMs)).toBe(10);
      expect(await requestsFor(queueInvocation('sendgrid', ...inTenPosts(events)), leftMs)).toBe(10);
    },
  );

  test('deliveries of Customers Mail Cloud cost 0.04 requests an event', async () => {
    expect(await requestsFor(queueInvocation('customers-mail-cloud', deliveries('budget', 100)))).toBe(4);
  });

  test('opens and clicks cost none', async () => {
    expect(await requestsFor(queueInvocation('sendgrid', opensAndClicks(100)))).toBe(0);
  });
});

test('docs/performance.md shows the arithmetic of today', async () => {
  const page = await readPage();
  expect(page === withArithmetic(page), 'npm run bench -- --arithmetic writes it').toBe(true);
});
