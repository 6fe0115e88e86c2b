import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { parseOutputs } from '../../bin/support/outputs.ts';
import { tablesOf } from '../../bin/support/stack-tables.ts';
import { batchPut } from '../../lambda/aws/dynamodb.ts';
import { dayKey } from '../../lambda/recording/keys.ts';
import { until } from '../end-to-end/running-stack.ts';
import { BOTH_THEMES, expectAccessible } from './accessible.ts';
import { bounceOf, writeBounces } from './bounce-rows.ts';
import { browserOfFile, consoleUnderTest, describePage } from './browser.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.now();
const TARO = 'taro@example.jp';
const FAILED_ITEMS = 28;

const iso = (ms: number) => new Date(ms).toISOString();

/** Mail number n was sent n + 1 hours ago. */
const sentMs = (n: number) => NOW_MS - (n + 1) * HOUR_MS;

function logRow(n: number, change: object = {}) {
  const messageId = `mail-${n}`;
  return {
    messageId,
    entry: 'mail',
    provider: 'sendgrid',
    mailId: `item-${n}`,
    from: 'さくら商店 <shop@example.com>',
    to: `鈴木太郎 <${TARO}>`,
    subject: `Order ${n}`,
    sentAt: iso(sentMs(n)),
    day: dayKey(iso(sentMs(n)), messageId),
    ...change,
  };
}

const eventRow = (n: number, recipient: string, state: string, atMs: number, reason = '') => ({
  messageId: `mail-${n}`,
  entry: `event#${iso(atMs)}#${state}-${recipient}`,
  state,
  recipient,
  provider: 'sendgrid',
  reason,
  fullMessageId: `mail-${n}.recvd-${recipient}`,
  eventId: `${state}-${n}`,
});

const MANY = Array.from({ length: 56 }, (_, n) => `member-${n}@example.org`);

const browser = browserOfFile();

describePage('the mail to an address', () => {
  const { stack, open } = consoleUnderTest(browser);
  beforeAll(async () => {
    const { client, ...tables } = tablesOf(parseOutputs(stack().local.outputs));
    const rows = [
      ...Array.from({ length: 8 }, (_, n) => logRow(n)),
      // A mail without events; copies; a log row that is newer than its events; many recipients.
      logRow(8, { sentAt: iso(sentMs(8)), subject: 'Newsletter' }),
      logRow(9, { to: 'hanako@example.com', cc: TARO, bcc: 'archive@example.com', provider: 'customers-mail-cloud' }),
      logRow(10, { subject: 'Logged late' }),
      logRow(11, { to: MANY, subject: 'To all members' }),
      ...Array.from({ length: 8 }, (_, n) => [
        eventRow(n, TARO, 'queued', sentMs(n) + 1_000),
        eventRow(n, TARO, n === 3 ? 'bounced' : 'delivered', sentMs(n) + 3_000, n === 3 ? '550 5.1.1' : '250 2.0.0 OK'),
      ]).flat(),
      eventRow(9, TARO, 'delivered', sentMs(9) + 2_000, '250 2.0.0 OK'),
      eventRow(9, 'hanako@example.com', 'delivered', sentMs(9) + 2_000),
      eventRow(10, TARO, 'queued', sentMs(10) - 60_000),
      eventRow(10, TARO, 'delivered', sentMs(10) - 30_000),
      ...MANY.map((member) => eventRow(11, member, 'delivered', sentMs(11) + 2_000)),
    ];
    for (let start = 0; start < rows.length; start += 100) {
      const puts = rows.slice(start, start + 100).map((row) => ({ table: tables.sentLog, row }));
      expect(await batchPut(client, puts, AbortSignal.timeout(60_000))).toEqual([]);
    }
    await writeBounces(stack(), [
      bounceOf('mail-3.recvd-taro@example.jp', sentMs(3) + 3_000, {
        eventId: 'bounced-3',
        messageId: 'mail-3',
        toEmail: TARO,
      }),
      // One failure with two rows.
      ...['failed', 'bounced'].map((outcome, n) =>
        bounceOf('<cmc@example.com>#jiro@example.jp', NOW_MS - 1_000 + n, {
          eventId: outcome,
          outcome,
          toEmail: 'jiro@example.jp',
        }),
      ),
    ]);
    await stack().insert({ id: 'item-6', status: 'sent', messageId: 'mail-6', to: TARO, subject: 'Order 6' });
    for (let n = 0; n < FAILED_ITEMS; n++) {
      const error = 'Cannot send: to: cannot use "nobody": it is not an e-mail address';
      const item = { id: `failed-${n}`, status: 'failed', to: 'nobody', subject: `Failed ${n}`, error };
      await stack().insert(item);
    }
    client.destroy();
  });

  const rows = (page: Page) => page.locator('table.rows tbody tr:not(.away)');
  const find = async (page: Page, text: string) => {
    const field = page.getByLabel('Find a mail').or(page.getByLabel('メールを検索'));
    await field.fill(text);
    await field.press('Enter');
  };

  test('searching for an address on any page opens the page of the recipient, with all data', async () => {
    const { page } = await open('#/overview');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('TARO@Example.jp');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Mail to taro@example.jp' }).waitFor();
    expect(page.url()).toContain('#/recipient/taro%40example.jp');
    expect(await page.title()).toBe('taro@example.jp · Todoke');
    await page.getByText(/^10 messages, the newest on .*: Delivered 9, Bounced 1\.$/).waitFor();
    await page.getByRole('button', { name: 'Search the last three days for messages without any event' }).click();
    await page.getByText(/^11 messages, the newest on .*: Delivered 9, Bounced 1, No news 1\.$/).waitFor();
    await page
      .getByText(/^This address has been suppressed since a hard bounce on .*: 550 5\.1\.1 User unknown$/)
      .waitFor();
    expect(await rows(page).count()).toBe(11);
    const bounced = rows(page).filter({ hasText: 'Order 3' });
    await bounced.getByText('Bounced').waitFor();
    await rows(page).filter({ hasText: 'Newsletter' }).getByText('No news').waitFor();
    expect(await rows(page).filter({ hasText: 'Order 9' }).locator('.tag').textContent()).toBe('cc');
    await expectAccessible(page, BOTH_THEMES);

    await bounced.getByRole('link').press('Enter');
    const story = page.getByRole('region', { name: 'Story of a mail' });
    await story.getByRole('region', { name: TARO }).getByText('hard').first().waitFor();
    expect(page.url()).toContain('#/recipient/taro%40example.jp/mail-3');
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await story.waitFor({ state: 'detached' });

    await find(page, 'nobody-ever@example.jp');
    await page.getByText('No message to this address was found.').waitFor();
    await expectAccessible(page);
  });

  test('an address can be suppressed and allowed on its page', async () => {
    const { page } = await open('#/recipient/Decided%40example.jp');
    await page.getByRole('button', { name: 'Suppress this address' }).click();
    await page.getByText(/^This address has been suppressed since a decision on .*: decided in the console$/).waitFor();
    await expectAccessible(page, BOTH_THEMES);
    await page.getByRole('button', { name: '日本語' }).click();
    await page
      .getByText(/ の担当者の操作により、このアドレスへの送信を停止しています: decided in the console$/)
      .waitFor();
    await page.getByRole('button', { name: 'このアドレスへの送信を再開する' }).click();
    await page.getByRole('button', { name: 'このアドレスへの送信を停止する' }).waitFor();
    const decisions = (await stack().allBounces()).filter(({ toEmail }) => toEmail === 'decided@example.jp');
    expect(decisions.map(({ outcome }) => outcome)).toEqual(['suppressed', 'allowed']);
  });

  test('searching for an id opens the story, and searching for anything unknown opens a page that says so', async () => {
    const { page } = await open('#/send');
    await page.getByLabel('Subject').press('/');
    expect(await page.getByLabel('Subject').inputValue()).toBe('/');
    await page.getByRole('heading', { name: 'Send a mail' }).click();
    const story = page.getByRole('region', { name: 'Story of a mail' });
    for (const id of ['mail-5', 'item-6', 'mail-7.filterdrecv-1']) {
      await find(page, id);
      await story.getByText(`Order ${/\d/.exec(id)?.[0]}`).waitFor();
      await page.keyboard.press('Escape');
      await story.waitFor({ state: 'detached' });
    }
    await find(page, 'no-such-id');
    await page.getByText('This message was not found.').waitFor();
  });

  test('a story is in the order of time, marks copies, and says that more recipients follow', async () => {
    const { page } = await open('#/mail/sent/mail-10');
    const story = page.getByRole('region', { name: 'Story of a mail' });
    const entries = story.getByRole('region', { name: TARO }).getByRole('listitem');
    await until('the story', async () => ((await entries.count()) === 3 ? true : undefined));
    const times = await entries.locator('time').evaluateAll((all) => all.map((time) => time.getAttribute('datetime')));
    expect(times).toEqual(times.toSorted());
    expect(await entries.first().textContent()).toContain('Handed over');

    await page.goto(page.url().replace('mail-10', 'mail-9'));
    for (const [name, field] of [
      [TARO, 'cc'],
      ['archive@example.com', 'bcc'],
    ] as const) {
      expect(await story.getByRole('region', { name }).locator('h4 .tag').textContent()).toBe(field);
    }
    await page.goto(page.url().replace('mail-9', 'mail-11'));
    await story.getByText('6 more recipients follow.').waitFor();
    await story.getByRole('button', { name: 'Show more' }).click();
    await story.getByRole('region', { name: 'member-55@example.org' }).waitFor();
    await expectAccessible(page);
  });

  test('the list can be filtered by state, provider, time and text, the URL has the filters, and the shown rows are exported', async () => {
    const { page } = await open('#/mail');
    const shown = async (count: number) =>
      until(`${count} rows`, async () => ((await rows(page).count()) === count ? true : undefined));
    await shown(12);
    await page.getByLabel('State').selectOption('No news');
    // Also the copy of a mail without events.
    await shown(2);
    await page.getByLabel('State').selectOption('all');
    await page.getByLabel('Provider').selectOption('Customers Mail Cloud');
    await shown(1);
    await page.getByLabel('Provider').selectOption('all');
    await page.getByLabel('Text').fill('ORDER');
    await shown(9);
    await page.getByLabel('Until').fill(new Date(sentMs(4) + 9 * HOUR_MS + 60_000).toISOString().slice(0, 16));
    await shown(5);
    expect(page.url()).toMatch(/#\/mail\?text=ORDER&to=\d{4}/);
    await expectAccessible(page);

    // The URL shows the same list to another person.
    await page.reload();
    await shown(5);
    expect(await page.getByLabel('Text').inputValue()).toBe('ORDER');
    const file = async (name: string) => {
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name }).click();
      return readFile(await (await download).path(), 'utf8');
    };
    const csv = (await file('CSV')).split('\r\n');
    expect(csv[0]).toContain('"sentAt","subject","recipient","name","field","state"');
    expect(csv).toHaveLength(1 + 4 + 3 + 1);
    expect(csv[1]).toMatch(
      /"Order 4","taro@example\.jp","鈴木太郎","to","delivered","shop@example\.com","sendgrid","mail-4"/,
    );
    expect(JSON.parse(await file('JSON'))).toHaveLength(5);

    await page.getByLabel('Text').fill('nothing like it');
    await page.getByText('No loaded message matches the filter.').waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await shown(12);
    expect(page.url()).toMatch(/#\/mail$/);
  });

  test('many failed items do not push the list off the first screen, also at a phone’s width', async () => {
    for (const viewport of [
      { width: 1280, height: 720 },
      { width: 375, height: 667 },
    ]) {
      const { page } = await open('#/mail', { viewport });
      const unsent = page.getByRole('region', { name: 'Not sent' });
      await unsent.getByText(`${FAILED_ITEMS} items`).waitFor();
      await rows(page).first().waitFor();
      expect((await rows(page).first().boundingBox())?.y).toBeLessThan(viewport.height - 100);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      await unsent.getByRole('button', { name: 'Show' }).click();
      await unsent.getByText('Failed 27').waitFor();
      expect((await rows(page).first().boundingBox())?.y).toBeLessThan(viewport.height + 100);
      if (viewport.width < 400) await expectAccessible(page);
    }
  });

  test('a failure that is reported twice has one row, and an address without a bounce links to its mail', async () => {
    const { page } = await open('#/bounces');
    await page.getByText('2 rows shown').waitFor();
    expect(await rows(page).filter({ hasText: 'jiro@example.jp' }).getByText('Bounced').count()).toBe(1);
    await page.getByLabel('Recipient or message id').fill('hanako@example.com');
    await page.getByText('No bounces match the filter.').waitFor();
    await page.getByRole('link', { name: 'All mail to hanako@example.com' }).click();
    await page.getByRole('heading', { name: 'Mail to hanako@example.com' }).waitFor();
    await page.getByText(/^1 message, .*: Delivered 1\.$/).waitFor();
  });

  test('an error is shown in the language of the page', async () => {
    const { page } = await open('#/send', { locale: 'ja-JP' });
    await page.route('**/api/recipient', (route) =>
      route.fulfill({ status: 200, contentType: 'text/html', body: '<html>' }),
    );
    await find(page, TARO);
    await page.getByText('読み込めませんでした: コンソールのサーバーの応答を読み取れません。').waitFor();
    await page.unroute('**/api/recipient');
    await page.getByText('10 件のメールがあります。最新は').waitFor();
    await expectAccessible(page);
    await page.setViewportSize({ width: 375, height: 667 });
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
  });
});
