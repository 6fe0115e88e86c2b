import { readFile } from 'node:fs/promises';
import type { Page, Route } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { until } from '../end-to-end/running-stack.ts';
import { bounceOf, writeBounces } from './bounce-rows.ts';
import { browserOfFile, consoleUnderTest, describePage } from './browser.ts';

const START_MS = Date.now();
const DAY_MS = 86_400_000;

/** A failure that SendGrid posts for the mail with this id. */
const failure = (id: string, occurredMs: number) => ({
  email: `${id}@example.jp`,
  event: 'bounce',
  type: 'bounce',
  status: '5.1.1',
  reason: '550 5.1.1 User unknown',
  timestamp: Math.floor(occurredMs / 1000),
  sg_event_id: `event-of-${id}`,
  sg_message_id: `${id}.filter0001.1.1.0`,
});

/** Expects that the page shows something after two polls, one of which may be in progress. Later polls get no answer. */
async function inTwoPolls(page: Page, path: string, seen: () => Promise<unknown>): Promise<void> {
  let polls = 0;
  // A poll starts with the newest rows. Other requests have an end.
  const isPoll = (route: Route) => !route.request().postDataJSON().range?.to;
  await page.route(`**${path}`, (route) => (isPoll(route) && ++polls > 2 ? undefined : route.continue()));
  await seen();
}

const count = async (page: Page) => Number((await page.locator('.exports span').textContent())?.replace(/\D/g, ''));

const browser = browserOfFile();

describePage('late data', () => {
  const { stack, open } = consoleUnderTest(browser);
  beforeAll(async () => {
    // Two days of rows, 20 minutes apart: more than one page of the list.
    const rows = Array.from({ length: 144 }, (_, n) => bounceOf(`row-${n}`, START_MS - n * 1_200_000));
    await writeBounces(stack(), rows);
  });

  test('a failure that comes a day late appears automatically at its place in the visible part of the list', async () => {
    const { page } = await open('#/bounces');
    const before = page.getByRole('link', { name: 'row-71@example.jp' });
    await until('more than a day of rows', async () => {
      await page.evaluate('scrollTo(0, document.body.scrollHeight)');
      return (await count(page)) >= 144 ? true : undefined;
    });
    await until('the row of a day ago', async () => {
      await page.evaluate('scrollTo(0, document.body.scrollHeight / 2)');
      return (await before.count()) > 0 ? true : undefined;
    });
    await before.click();
    await page.getByRole('region', { name: 'Bounce details' }).waitFor();
    const place = await before.boundingBox();
    expect(await stack().postSendGrid([failure('late', START_MS - DAY_MS + 60_000)])).toMatchObject({ status: 200 });
    await inTwoPolls(page, '/api/bounces', () => page.getByRole('link', { name: 'late@example.jp' }).waitFor());
    expect(await page.locator('tr.open').textContent()).toContain('row-71@example.jp');
    expect(Math.abs(((await before.boundingBox())?.y ?? 0) - (place?.y ?? -100))).toBeLessThan(2);
    // The drawn rows follow the scroll position a moment later.
    await until('the row between its neighbours', async () => {
      const shown = await page.locator('table.rows tbody tr:not(.away) .main a').allInnerTexts();
      return /row-71@example.jp late@example.jp row-72@example.jp/.test(shown.join(' ')) || undefined;
    });
  });

  test('a mail that is logged a day late appears automatically, and so does a new event of an old mail', async () => {
    const { page } = await open('#/mail');
    const log = (messageId: string, sentMs: number) =>
      stack().log({
        messageId,
        entry: 'mail',
        from: 'shop@example.com',
        to: `${messageId}@example.jp`,
        subject: `A mail ${messageId}`,
        provider: 'sendgrid',
        sentAt: new Date(sentMs).toISOString(),
      });
    await log('oldest', START_MS - 2 * DAY_MS);
    await log('newest', START_MS);
    const rows = page.locator('table.rows tbody tr');
    await rows.filter({ hasText: 'A mail newest' }).waitFor();
    await log('logged-late', START_MS - DAY_MS);
    const row = rows.filter({ hasText: 'A mail logged-late' });
    await row.waitFor();
    expect((await page.locator('table.rows .main a').allInnerTexts()).map((text) => text.slice(7))).toEqual([
      'newest',
      'logged-late',
      'oldest',
    ]);
    await stack().postSendGrid([{ ...failure('oldest', START_MS - 2 * DAY_MS), event: 'delivered' }]);
    const old = rows.filter({ hasText: 'A mail oldest' });
    await old.getByText('Delivered').waitFor();
    await stack().postSendGrid([{ ...failure('oldest', START_MS - DAY_MS - 600_000), sg_event_id: 'late' }]);
    await inTwoPolls(page, '/api/mails', () => old.getByText('Bounced').waitFor());
  });

  test('an overview counts events that come a day late', async () => {
    const { page } = await open('#/overview');
    const bounced = page.locator('.figures div', { hasText: 'Bounced' }).locator('dd');
    await bounced.waitFor();
    const before = Number(await bounced.textContent());
    await stack().postSendGrid([failure('counted-late', START_MS - DAY_MS - 600_000)]);
    await inTwoPolls(page, '/api/overview', () =>
      until('the figure', async () => (Number(await bounced.textContent()) === before + 1 ? true : undefined)),
    );
  });
});

describePage('many rows at once', () => {
  const { stack, open } = consoleUnderTest(browser);

  test('three pages of new rows between two polls leave no gap', async () => {
    await writeBounces(
      stack(),
      Array.from({ length: 120 }, (_, n) => bounceOf(`row-${n}`, START_MS - n * 1_000)),
    );
    const { page } = await open('#/bounces');
    await page.getByText('row-0@example.jp').waitFor();
    await until('a page', async () => ((await count(page)) >= 100 ? true : undefined));
    // No poll is answered until all rows are written.
    const held: (() => void)[] = [];
    let holds = true;
    await page.route('**/api/bounces', async (route) => {
      if (holds) await new Promise<void>((resolve) => held.push(resolve));
      await route.continue();
    });
    await until('a poll', async () => held[0]);
    const before = await count(page);
    const rows = Array.from({ length: 300 }, (_, n) => bounceOf(`burst-${n}`, START_MS + 1_000 + n));
    await writeBounces(stack(), rows);
    holds = false;
    for (const goOn of held) goOn();
    await page.getByText('burst-299@example.jp').waitFor();
    await until('all of them', async () => ((await count(page)) === before + 300 ? true : undefined));
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'CSV' }).click();
    const exported = await readFile(await (await download).path(), 'utf8');
    const found = Array.from(exported.matchAll(/"(burst-\d+)@/g), ([, id]) => id);
    expect(found).toEqual(Array.from({ length: 300 }, (_, n) => `burst-${299 - n}`));
  });
});

describePage('a hidden tab', () => {
  const { stack, open } = consoleUnderTest(browser);

  test('sends no requests, and catches up when it is visible again', async () => {
    const { page, requests } = await open('#/bounces');
    await page.getByText('No failures in this period.').waitFor();
    const asked = () => requests.filter(({ path }) => path === '/api/bounces').length;
    // From the next poll on, the test controls the page's timers.
    await page.clock.install();
    // A set, because a request that is running now ends without having been counted.
    const running = new Set<unknown>();
    page.on('request', (request) => running.add(request));
    page.on('requestfinished', (request) => running.delete(request));
    page.on('requestfailed', (request) => running.delete(request));
    /** Lets a minute pass, after all running requests have been answered. */
    const minute = async () => {
      await until('no request', async () => running.size === 0 || undefined);
      await page.clock.runFor(60_000);
    };
    await page.waitForResponse('**/api/bounces');
    const show = (state: string) =>
      page.evaluate(
        `Object.defineProperty(document, 'hidden', { get: () => ${state === 'hidden'}, configurable: true });
         Object.defineProperty(document, 'visibilityState', { get: () => '${state}', configurable: true });
         document.dispatchEvent(new Event('visibilitychange'))`,
      );
    await show('hidden');
    await minute();
    const before = asked();
    await writeBounces(stack(), [bounceOf('unseen', START_MS)]);
    for (let minutes = 0; minutes < 3; minutes++) await minute();
    expect(asked()).toBe(before);
    await show('visible');
    await page.getByRole('link', { name: 'unseen@example.jp' }).waitFor();
  });
});
