import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseOutputs } from '../../bin/support/outputs.ts';
import { tablesOf } from '../../bin/support/stack-tables.ts';
import { overview } from '../../console/server/overview.ts';
import { LOCAL_MODE_KEY_ID } from '../../local/database/dynamodb-clients.ts';
import { until } from '../end-to-end/running-stack.ts';
import { expectAccessible } from './accessible.ts';
import { bounceOf, writeBounces } from './bounce-rows.ts';
import { browserOfFile, consoleUnderTest, describePage, HOSTILE } from './browser.ts';

/** More rows than are drawn at one time. */
const MANY = 1_100;
/** More rows than fit on a page, and than three minutes of rows. */
const SOME = 200;
const START_MS = Date.now() - 3_600_000;

/** Rows are a second apart. The first is the newest. */
function row(index: number, change: Readonly<Record<string, unknown>> = {}) {
  const named = { toEmail: `someone-${index}@example.jp`, subject: `Subject ${index}` };
  return bounceOf(`mail-${index}`, START_MS - index * 1_000, { ...named, ...change });
}

const SPECIAL = [
  row(-9, { outcome: 'dropped', bounceClass: 'undetermined', provider: 'customers-mail-cloud' }),
  row(-8, { bounceClass: 'soft', cause: 'mailbox-full', matched: false, toEmail: 'full@example.com' }),
  row(-7, {
    outcome: 'unrecognized',
    bounceClass: undefined,
    cause: undefined,
    toEmail: undefined,
    matched: false,
    rawEvent: '{"new":1}',
  }),
  row(-6, { outcome: 'complained', subject: HOSTILE.markup, reason: HOSTILE.markup }),
  row(-5, { reason: '=HYPERLINK("http://example.com","click")', subject: '+1', toName: '@SUM(A1)' }),
  row(-4, { reason: HOSTILE.long, subject: HOSTILE.rightToLeft }),
];

const browser = browserOfFile();

const rows = (count: number) => Array.from({ length: count }, (_, index) => row(index));
const shown = (page: Page) => page.locator('table.rows tbody tr:not(.away)');

describePage('a thousand bounces', () => {
  const { stack, open } = consoleUnderTest(browser);
  beforeAll(() => writeBounces(stack(), rows(MANY)));

  test('are loaded page by page, and few are drawn at a time', async () => {
    stack().storage.calls.length = 0;
    const { page, requests } = await open('#/bounces');
    await page.getByText('someone-0@example.jp').waitFor();
    // The page and each poll query at most eight partitions for four days. One scanned page shows that the index is large.
    const asked = requests.filter(({ path }) => path === '/api/bounces').length;
    expect(stack().storage.calls.filter(({ action }) => action === 'Query').length).toBeLessThanOrEqual(32 * asked);
    // Local mode itself scans one table per minute for expired rows.
    const scans = stack().storage.calls.filter(
      ({ action, caller, body }) => action === 'Scan' && caller !== LOCAL_MODE_KEY_ID && body['Limit'] !== 300,
    );
    expect(scans).toEqual([]);
    const count = page.locator('.exports span');
    const loaded = async () => Number((await count.textContent())?.replace(/\D/g, ''));
    await until('1,000 rows', async () => {
      await page.evaluate('scrollTo(0, document.body.scrollHeight)');
      return (await loaded()) >= 1_000 ? true : undefined;
    });
    expect(requests.filter(({ body }) => body?.includes('"cursor"') && !body.includes('"range"')).length).toBeLessThan(
      14,
    );
    expect(await shown(page).count()).toBeLessThan(400);
    expect(await page.locator('table.rows tr.away').count()).toBeGreaterThan(5);
    await page.getByText(/Looked back to/).waitFor();
  });

  test('an overview that cannot read all rows at once says from when it counts', async () => {
    const tables = tablesOf(parseOutputs(stack().local.outputs));
    onTestFinished(() => tables.client.destroy());
    const edges = [START_MS - 86_400_000, START_MS].map((ms) => new Date(ms + 1).toISOString());
    const answer = await overview(tables, { edges }, 1_000);
    expect(answer.outcomes.bounced[0]).toBeLessThanOrEqual(1_000);
    expect(answer.outcomes.bounced[0]).toBeGreaterThan(900);
    expect(answer.countedFrom).toMatch(/^2/);
    expect(await overview(tables, { edges })).toMatchObject({ outcomes: { bounced: [MANY] } });
    expect(await overview(tables, { edges })).not.toHaveProperty('countedFrom');

    const { page } = await open('#/send');
    await page.route('**/api/overview', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), countedFrom: answer.countedFrom } });
    });
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByText(/These figures cover only the time since \d+/).waitFor();
  });
});

describePage('the view Bounces', () => {
  const { stack, open } = consoleUnderTest(browser);
  beforeAll(() => writeBounces(stack(), [...SPECIAL, ...rows(SOME)]));

  test('new rows appear automatically, and scroll position and selection stay', async () => {
    const { page } = await open('#/bounces');
    // Opened by keyboard, which works like a click.
    await page.getByRole('link', { name: 'someone-30@example.jp' }).press('Enter');
    const panel = page.getByRole('region', { name: 'Bounce details' });
    await panel.getByText('Subject 30').first().waitFor();
    const selected = page.locator('tr.open');
    await selected.scrollIntoViewIfNeeded();
    const before = await selected.boundingBox();
    await writeBounces(stack(), [row(-20, { toEmail: 'brand-new@example.jp' })]);
    await page.getByText('brand-new@example.jp').waitFor();
    expect(await selected.textContent()).toContain('someone-30@example.jp');
    const after = await selected.boundingBox();
    expect(Math.abs((after?.y ?? 0) - (before?.y ?? -100))).toBeLessThan(2);
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await until('the focus to be back', async () =>
      (await page.locator('a:focus').textContent())?.includes('someone-30@') ? true : undefined,
    );
  });

  test('filters and searches narrow the list', async () => {
    const { page } = await open('#/bounces');
    const only = async (...texts: string[]) => {
      await until(`only ${texts.join()}`, async () =>
        (await shown(page).count()) === texts.length ? true : undefined,
      );
      for (const text of texts) await shown(page).getByText(text).first().waitFor();
    };
    await page.getByLabel('Outcome').selectOption('Unrecognized');
    await only('(no recipient)');
    await shown(page).getByText('unmatched').waitFor();
    await page.getByLabel('Outcome').selectOption('all');
    await page.getByLabel('Class').selectOption('soft');
    await only('full@example.com');
    await page.getByLabel('Class').selectOption('all');
    await page.getByLabel('Cause').selectOption('mailbox full');
    await only('full@example.com');
    await shown(page).getByText('mailbox full').waitFor();
    await page.getByLabel('Cause').selectOption('all');
    await page.getByLabel('Provider').selectOption('Customers Mail Cloud');
    await only('someone--9@example.jp');
    await page.getByRole('button', { name: 'Clear the filter' }).click();

    const search = page.getByLabel('Recipient or message id');
    await search.fill('Someone-123@example.jp');
    await only('Subject 123');
    await search.fill('mail-144');
    await only('Subject 144');
    await search.fill('nobody@example.jp');
    await page.getByText('No bounces match the filter.').waitFor();
    await expectAccessible(page);
    await search.fill('');

    const local = (ms: number) => new Date(ms + 9 * 3_600_000).toISOString().slice(0, 16);
    const until_ = Math.floor((START_MS - 60_000) / 60_000) * 60_000;
    await page.getByLabel('Until').fill(local(until_));
    await page.getByLabel('Since', { exact: true }).fill(local(until_ - 60_000));
    await until('the rows of a minute', async () => ([60, 61].includes(await shown(page).count()) ? true : undefined));
  });

  test('the shown rows are exported, and no cell can run as a formula', async () => {
    const { page } = await open('#/bounces');
    await page.getByLabel('Recipient or message id').fill('someone--5@example.jp');
    await page.getByText('1 row shown').waitFor();
    const file = async (name: string) => {
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name }).click();
      return readFile(await (await download).path(), 'utf8');
    };
    const csv = await file('CSV');
    expect(csv.split('\r\n')).toHaveLength(3);
    expect(csv).toContain(`"'=HYPERLINK(""http://example.com"",""click"")"`);
    expect(csv).toContain(`"'+1"`);
    expect(csv).toContain(`"'@SUM(A1)"`);
    expect(JSON.parse(await file('JSON'))).toMatchObject([{ fullMessageId: 'mail--5', subject: '+1' }]);
  });

  test('hostile text is shown as text', async () => {
    const { page } = await open('#/bounces');
    await shown(page).getByText(HOSTILE.markup).first().waitFor();
    await page.getByRole('link', { name: 'someone--4@example.jp' }).click();
    const panel = page.getByRole('region', { name: 'Bounce details' });
    await panel.getByText(HOSTILE.long).first().waitFor();
    await panel.getByText(HOSTILE.rightToLeft).first().waitFor();
    expect(await page.title()).toBe('Bounces · Todoke');
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
  });
});
