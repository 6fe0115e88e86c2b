import { readFile } from 'node:fs/promises';
import { describe, expect, inject, test } from 'vitest';
import { BUNDLE_GOALS_BYTES } from '../../bench/figures/bundle.ts';
import { pageWith, readResults } from '../../bench/report/report.ts';
import { bundleBytes } from '../../bench/support/bundles.ts';
import { bounces, deliveries } from '../../bench/support/posts.ts';
import { readAssembly } from '../../local/stack/synthesize.ts';
import { runningStack } from '../end-to-end/running-stack.ts';

/** Counts, not times: they are the same on every machine, and nobody exceeds them by accident. */
describe('budgets', () => {
  test.each(Object.entries(BUNDLE_GOALS_BYTES))('the bundle of %s has at most %i bytes', async (name, most) => {
    const stack = await readAssembly(inject('assemblyDir'));
    expect(await bundleBytes(stack, name)).toBeLessThanOrEqual(most);
  });

  const stack = runningStack();
  /** Requests of one receiver. */
  const requestsFor = async (caller: string, work: () => Promise<{ status: number }>) => {
    stack().storage.calls.length = 0;
    expect(await work()).toMatchObject({ status: 200 });
    return stack().storage.calls.filter((call) => call.caller === caller).length;
  };

  // Not the largest post, which the stack with IAM's evaluator before it may not record in time: batches are as full here.
  test('a post of bounces costs at most 0.10 requests an event', async () => {
    const events = bounces({ tag: 'budget', count: 300 });
    const requests = await requestsFor('ReceiveSendGrid', () => stack().postSendGrid(events));
    expect(requests / events.length).toBeLessThanOrEqual(0.1);
  });

  test('deliveries of Customers Mail Cloud cost at most 0.04 requests an event', async () => {
    const entries = deliveries('budget', 100);
    const post = { event_type: 'deliveries', event: { deliveries: entries } };
    const requests = await requestsFor('ReceiveCustomersMailCloud', () => stack().postCustomersMailCloud(post));
    expect(requests / entries.length).toBeLessThanOrEqual(0.04);
  });
});

test('docs/performance.md shows the results of the last whole run, and the arithmetic of today', async () => {
  const page = await readFile(new URL('../../docs/performance.md', import.meta.url), 'utf8');
  const made = pageWith(page, await readResults());
  expect(page === made, 'npm run bench -- --render writes it anew').toBe(true);
});
