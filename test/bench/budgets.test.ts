import { readFile } from 'node:fs/promises';
import { describe, expect, inject, test } from 'vitest';
import { BUNDLE_GOALS_BYTES } from '../../bench/figures/bundle.ts';
import { readResults } from '../../bench/report/report.ts';
import { markdownTable } from '../../bench/report/table.ts';
import { bundleBytes } from '../../bench/support/bundles.ts';
import { bounces, deliveries, LARGE_POST_EVENTS, opensAndClicks } from '../../bench/support/posts.ts';
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

  test('the largest post of bounces costs at most 0.10 requests an event', async () => {
    const events = bounces({ tag: 'budget', count: LARGE_POST_EVENTS });
    const requests = await requestsFor('ReceiveSendGrid', () => stack().postSendGrid(events));
    expect(requests / events.length).toBeLessThanOrEqual(0.1);
  });

  test('deliveries of Customers Mail Cloud cost at most 0.04 requests an event', async () => {
    const entries = deliveries('budget', 100);
    const post = { event_type: 'deliveries', event: { deliveries: entries } };
    const requests = await requestsFor('ReceiveCustomersMailCloud', () => stack().postCustomersMailCloud(post));
    expect(requests / entries.length).toBeLessThanOrEqual(0.04);
  });

  test('opens and clicks cost no request', async () => {
    expect(await requestsFor('ReceiveSendGrid', () => stack().postSendGrid(opensAndClicks(100)))).toBe(0);
  });
});

test('docs/performance.md shows the results of the last whole run', async () => {
  const page = await readFile(new URL('../../docs/performance.md', import.meta.url), 'utf8');
  expect(page).toContain(markdownTable(await readResults()));
});
