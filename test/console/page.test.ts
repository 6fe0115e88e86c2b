import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Route } from 'playwright-core';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseOutputs, readOutputs } from '../../bin/support/outputs.ts';
import { tablesOf } from '../../bin/support/stack-tables.ts';
import { createConsole } from '../../console/server/console.ts';
import { listen } from '../../local/ports.ts';
import { until } from '../end-to-end/running-stack.ts';
import { BOTH_THEMES, expectAccessible } from './accessible.ts';
import { browserOfFile, consoleUnderTest, describePage, HOSTILE } from './browser.ts';

const browser = browserOfFile();

describePage('the page', () => {
  const { stack, open } = consoleUnderTest(browser);

  test('a mail of every outcome is sent from the form, and shown until its final state', async () => {
    const { page } = await open('#/send');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    for (const field of ['From', 'To', 'Subject', 'Text']) {
      const input = page.getByLabel(field, { exact: true });
      expect(await input.getAttribute('aria-invalid')).toBe('true');
    }
    expect(await page.getByText('Fill this in').count()).toBe(4);
    await expectAccessible(page, BOTH_THEMES);
    await page.getByLabel('To', { exact: true }).fill('taro@example.jp\nnobody');
    await page.getByText('“nobody” is not an e-mail address').waitFor();

    await page.getByRole('button', { name: 'All of them' }).click();
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    const sent = page.getByRole('region', { name: 'Sent from here' });
    for (const [mailbox, state] of Object.entries({
      taro: 'Delivered',
      bounce: 'Bounced',
      blocked: 'Bounced',
      dropped: 'Dropped',
      deferred: 'Delivered',
      complaint: 'Complaint',
    })) {
      await sent
        .locator('.recipient-states li', { hasText: `${mailbox}+` })
        .getByText(state, { exact: true })
        .waitFor();
    }
    await expectAccessible(page);

    await sent.getByRole('link', { name: 'Your order has been confirmed' }).click();
    const story = page.getByRole('region', { name: 'Story of a mail' });
    const deferred = story.getByRole('region', { name: /^deferred\+\w+@example\.jp/ }).getByRole('listitem');
    await until('the story of the deferred recipient', async () => ((await deferred.count()) === 4 ? true : undefined));
    expect(
      (await deferred.allInnerTexts()).map((text) => text.match(/Handed over|Queued|Deferred|Delivered/)?.[0]),
    ).toEqual(['Handed over', 'Queued', 'Deferred', 'Delivered']);
    const bounced = story.getByRole('region', { name: /^bounce\+\w+@example\.jp/ });
    await bounced.locator('.tag', { hasText: 'hard' }).waitFor();
    await bounced.getByText('All attributes').click();
    await bounced.getByText('enhancedStatusCode').waitFor();
    await bounced.getByText('5.1.1', { exact: true }).waitFor();
    await expectAccessible(page, BOTH_THEMES);

    await page.keyboard.press('Escape');
    await story.waitFor({ state: 'detached' });
    const row = page.locator('table.rows tbody tr', { hasText: 'Your order has been confirmed' });
    await row.getByText('6', { exact: true }).waitFor({ state: 'detached' });
    expect(await row.count()).toBe(1);
    for (const state of ['Complaint', 'Bounced', 'Dropped', 'Delivered']) await row.getByText(state).waitFor();
    await expectAccessible(page, BOTH_THEMES);
  });

  test('a failed mail shows the reason, and can be sent again', async () => {
    const { page } = await open('#/mail');
    const letter = { from: 'shop@example.com', subject: 'A letter to nobody', content: 'Hello' };
    await stack().insert({ id: 'mistyped', ...letter, to: 'nobody' });
    const unsent = page.getByRole('region', { name: 'Not sent' });
    await unsent.getByText('it is not an e-mail address').waitFor();
    await expectAccessible(page, BOTH_THEMES);
    await unsent.getByRole('link', { name: 'A letter to nobody' }).click();
    const story = page.getByRole('region', { name: 'Story of a mail' });
    await story.getByRole('button', { name: 'Send again' }).click();
    // It fails for the same reason. Of the two sentences, only the current one is still shown.
    await until('it to fail again', async () => {
      const { status, resentAt } = (await stack().mail('mistyped')) ?? {};
      return (status === 'failed' && resentAt !== undefined) || undefined;
    });
    await story.getByText('The item is being sent again.').waitFor({ state: 'detached' });
    await story.getByText('This item will not be sent automatically.').waitFor();
    await stack().edit('mistyped', 'SET #to = :to', { '#to': 'to' }, { ':to': 'taro@example.jp' });
    await story.getByRole('button', { name: 'Send again' }).click();
    await page.locator('table.rows').getByRole('link', { name: 'A letter to nobody' }).waitFor();
    expect(await stack().settled('mistyped')).toMatchObject({ status: 'sent' });
    await unsent.waitFor({ state: 'detached' });
  });

  test('a deferred mail shows its next attempt, and a mail with an unknown status says what to do', async () => {
    const { page } = await open('#/mail');
    const letter = { from: 'shop@example.com', to: 'taro@example.jp', content: 'Hello' };
    const nextAttemptAt = '2999-01-01T00:00:00.000123Z';
    await stack().insert({ id: 'deferred', ...letter, subject: 'Later', status: 'sending', nextAttemptAt });
    await stack().insert({ id: 'held back', ...letter, subject: 'Held back', status: 'hold' });
    const unsent = page.getByRole('region', { name: 'Not sent' });
    // One item is shown at once. More items are shown on request.
    await unsent.getByRole('button', { name: 'Show' }).click();
    await unsent
      .getByRole('listitem')
      .filter({ hasText: 'Later' })
      .getByText(/Next attempt at .*2999/)
      .waitFor();
    await unsent.getByRole('link', { name: 'Held back' }).click();
    const story = page.getByRole('region', { name: 'Story of a mail' });
    await story.getByText('To send it, delete the attribute status.').waitFor();
    expect(await story.getByRole('button', { name: 'Send again' }).count()).toBe(0);
    await expectAccessible(page);
    for (const id of ['deferred', 'held back']) {
      await stack().edit(
        id,
        'SET #s = :sent, #m = :m',
        { '#s': 'status', '#m': 'messageId' },
        { ':sent': 'sent', ':m': 'm' },
      );
    }
    await unsent.waitFor({ state: 'detached' });
  });

  test('hostile text is shown as text, also at a phone’s width', async () => {
    const { page } = await open('#/mail', { viewport: { width: 360, height: 740 } });
    for (const [id, subject] of Object.entries(HOSTILE)) {
      const sentAt = new Date().toISOString();
      await stack().log({ messageId: id, entry: 'mail', from: 'a@example.com', to: 'b@example.com', subject, sentAt });
      await page.locator('table.rows').getByText(subject.slice(0, 60), { exact: false }).waitFor();
    }
    expect(await page.title()).toBe('Mail · Todoke');
    expect(await page.locator('main img[src="x"], main script').count()).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
    await page.locator('table.rows').getByText('W'.repeat(60)).click();
    await page.getByText('The provider has reported no event yet.').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
    await expectAccessibleOverlay();

    /** An overlay over the list takes the focus, and the list cannot get it. */
    async function expectAccessibleOverlay() {
      expect(await page.locator('.split-list').getAttribute('inert')).not.toBeNull();
      expect(await page.locator('.panel').boundingBox()).toEqual({ x: 0, y: 0, width: 360, height: 740 });
      await page.getByRole('link', { name: 'Close' }).click();
      await until('the list to be there again', async () =>
        (await page.locator('.split-list').getAttribute('inert')) === null ? true : undefined,
      );
    }
  });

  test('a documented sample is posted to each receiver, and its answer and its rows are shown', async () => {
    const { page } = await open('#/try');
    const outcome = page.getByRole('region', { name: 'Answer' });
    // The recorder waits until the test releases it.
    let release = () => {};
    const released = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    onTestFinished(() => {
      release();
      stack().storage.plan = () => undefined;
    });
    stack().storage.plan = ({ caller }) => (caller === 'RecordEvents' ? released : undefined);
    await page.getByLabel('Sample').selectOption({ label: 'A dropped mail' });
    await page.getByRole('button', { name: 'Post it' }).click();
    await outcome.getByText('{"received":1}').waitFor();
    // One row in Bounce, and one in the story.
    const waiting = outcome.getByText('The post is queued. Rows that are not recorded yet: 2');
    await waiting.waitFor();
    await expectAccessible(page, BOTH_THEMES);
    release();
    await outcome.getByText('hello@world.com').first().waitFor();
    await waiting.waitFor({ state: 'detached' });
    await expectAccessible(page);

    await page.getByLabel('Sample').selectOption({ label: 'Two bounces, escaped twice (form)' });
    await page.getByRole('button', { name: 'Post it' }).click();
    await outcome.getByText('{"received":2}').waitFor();
    await outcome.getByText('user@example', { exact: true }).first().waitFor();

    await page.getByLabel('Sample').selectOption({ label: 'Your own' });
    await page.getByLabel('Provider').selectOption({ label: 'SendGrid' });
    await page.getByLabel('Content type').selectOption('application/json');
    await page.getByLabel('Body').fill('{"no": "list"}');
    await page.getByRole('button', { name: 'Post it' }).click();
    await outcome.getByText('400', { exact: true }).waitFor();
    await outcome.getByText('it is not an array of events').waitFor();

    await page.getByRole('button', { name: '日本語' }).click();
    await page.getByLabel('サンプル').selectOption({ label: 'ドロップされたメール' });
    expect(await page.getByLabel('サンプル').locator('option').allInnerTexts()).not.toContain('A dropped mail');
  });

  test('the page of a deployed stack opens by the address with the token, and stays open after a reload', async () => {
    const tables = tablesOf(parseOutputs(stack().local.outputs));
    const reported: string[] = [];
    const server = createServer(
      createConsole({
        mode: 'deployed',
        tables,
        canSend: false,
        token: 'of-this-run',
        report: (line) => reported.push(line),
      }),
    );
    const origin = `http://127.0.0.1:${await listen(server, 0, 'the page')}`;
    const context = await browser().newContext({ locale: 'en-US' });
    onTestFinished(async () => {
      await context.close();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      tables.client.destroy();
      expect(reported).toEqual([]);
    });
    const asked: string[] = [];
    context.on('request', (request) => asked.push(request.url() + (request.headers()['referer'] ?? '')));
    const page = await context.newPage();
    await page.goto(origin);
    await page.getByText('Open the whole address that “npm run console” printed').waitFor();
    await page.getByRole('button', { name: '日本語' }).click();
    await page.getByText('「npm run console」がターミナルに表示した URL').waitFor();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'English' }).click();

    await page.goto(`${origin}/#token=of-this-run`);
    await page.getByText('A deployed stack').waitFor();
    expect(page.url()).toBe(`${origin}/`);
    await page.getByRole('heading', { name: 'What became of a mail?' }).waitFor();
    await expectAccessible(page);
    await page.reload();
    const sentAt = new Date().toISOString();
    const mail = { from: 'a@example.com', to: 'b@example.com', subject: 'Behind the token', sentAt };
    await stack().log({ messageId: 'behind-the-token', entry: 'mail', ...mail });
    // join-late-events adds the attribute `day`, by which the list finds the mail.
    await until('the day', async () => (await stack().story('behind-the-token'))[0]?.['day']);
    await page.getByRole('link', { name: 'Mail', exact: true }).click();
    await page.locator('table.rows').getByRole('link', { name: 'Behind the token' }).waitFor();
    const further = await context.newPage();
    await further.goto(`${origin}/#/bounces`);
    await further.getByRole('heading', { name: 'Bounces' }).waitFor();
    expect(asked.filter((text) => text.includes('of-this-run'))).toEqual([]);
  });
});

describePage('the page without data', () => {
  const { stack, open } = consoleUnderTest(browser);

  test('every view without data says what to do', async () => {
    expect((await readOutputs(stack().local.outputsFile)).ConsoleUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const { page } = await open('#/mail');
    await page.getByText('No messages were sent in this period.').waitFor();
    await expectAccessible(page);
    await page.getByRole('link', { name: 'Bounces' }).click();
    await page.getByText('No failures in this period.').waitFor();
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByText('No messages were sent in this period, and').waitFor();
    await page.getByRole('link', { name: 'Send', exact: true }).click();
    await page.getByText('Messages that you send here are listed').waitFor();
  });

  test('a browser language that Intl does not accept is ignored', async () => {
    const { page } = await open('#/bounces');
    await page.addInitScript(
      "Object.defineProperty(navigator, 'language', { get: () => 'en-US@posix', configurable: true })",
    );
    await page.reload();
    await page.getByText('No failures in this period.').waitFor();
  });

  test('a list that could not be read at first is read automatically later', async () => {
    const { page } = await open('#/send');
    await page.route('**/api/bounces', (route) => route.fulfill({ contentType: 'application/json', body: '{}' }));
    await page.getByRole('link', { name: 'Bounces' }).click();
    await page.getByText('The data cannot be loaded').waitFor();
    await page.unroute('**/api/bounces');
    await page.getByText('No failures in this period.').waitFor();
  });

  test('the list of unsent mails is read again automatically, too', async () => {
    const { page } = await open('#/send');
    await page.route('**/api/unsent', (route) => route.fulfill({ contentType: 'application/json', body: '{}' }));
    await page.getByRole('link', { name: 'Mail', exact: true }).click();
    const unsent = page.getByRole('region', { name: 'Not sent' });
    await unsent.getByText('The data cannot be loaded').waitFor();
    await page.unroute('**/api/unsent');
    await unsent.waitFor({ state: 'detached' });
  });

  test('an older unsent mail disappears from the list after it is sent', async () => {
    const { page } = await open('#/send');
    const item = { id: 'far', status: 'failed', to: [], subject: 'From far back' };
    let items = [item];
    await page.route('**/api/unsent', (route) => {
      const first = { items: [], looked: 9, cursor: { key: { id: 'near' } } };
      const further = { items, looked: 1 };
      return route.fulfill({ json: route.request().postDataJSON().cursor ? further : first });
    });
    await page.getByRole('link', { name: 'Mail', exact: true }).click();
    const unsent = page.getByRole('region', { name: 'Not sent' });
    await unsent.getByRole('button', { name: 'Look further back' }).click();
    await unsent.getByText('From far back').waitFor();
    items = [];
    // As when a person returns to the tab: the page polls at once.
    await page.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
    await unsent.waitFor({ state: 'detached' });
  });
});

describePage('the page after a mail of every outcome', () => {
  const { stack, open } = consoleUnderTest(browser);
  beforeAll(async () => {
    const to = ['taro', 'bounce', 'blocked', 'dropped', 'deferred', 'complaint'].map((name) => `${name}@example.jp`);
    await stack().insert({ id: 'to-all', from: 'shop@example.com', to, subject: 'Hello', content: 'Are you there?' });
    const { messageId } = await stack().settled('to-all');
    await stack().event(String(messageId), 'complained');
    await until('all failures to be joined', async () => {
      const rows = await stack().bounces(String(messageId));
      return (rows.length === 4 && rows.every(({ matched }) => matched)) || undefined;
    });
  });

  test('the overview counts outcomes and rates by domain and provider', async () => {
    const { page } = await open('#/overview');
    const figure = (name: string) => page.locator('.figures div', { hasText: name }).locator('dd');
    await until('the figures', async () => ((await figure('Bounced').textContent()) === '2' ? true : undefined));
    expect(await figure('Dropped').textContent()).toBe('1');
    expect(await figure('Complaint').textContent()).toBe('1');
    const domain = page.getByRole('row', { name: /^example\.jp/ });
    expect((await domain.getByRole('cell').allInnerTexts()).slice(0, 3)).toEqual(['6', '2', '1']);
    expect(await domain.textContent()).toContain('50.0%');
    await page
      .getByRole('row', { name: /^SendGrid/ })
      .getByText('50.0%')
      .waitFor();
    expect(await page.locator('.chart canvas').count()).toBe(1);
    await page.setViewportSize({ width: 360, height: 740 });
    await until('the width of the window', async () =>
      (await page.evaluate('document.documentElement.scrollWidth - innerWidth')) === 0 ? true : undefined,
    );
    await page.getByText('The numbers of the chart').click();
    await expectAccessible(page, BOTH_THEMES);
    for (const period of ['24 hours', '30 days', '90 days']) {
      await page.getByLabel(period).check();
      await until(period, async () => ((await figure('Bounced').textContent()) === '2' ? true : undefined));
    }
  });

  test('a bounce shows the event that was published for it', async () => {
    const { page } = await open('#/bounces');
    const row = page.locator('table.rows tbody tr', { hasText: 'complaint@example.jp' });
    await row.getByRole('link').click();
    const panel = page.getByRole('region', { name: 'Bounce details' });
    await panel
      .getByText(/^Published as the event “Mail Complained” at \d+/)
      .first()
      .waitFor();
    await expectAccessible(page, BOTH_THEMES);
  });

  test('the figures of a period stay when those of the previous period arrive late', async () => {
    const { page } = await open('#/bounces');
    const held: Route[] = [];
    await page.route('**/api/overview', (route) => (held.length < 1 ? void held.push(route) : route.continue()));
    await page.getByRole('link', { name: 'Overview' }).click();
    await until('the first question', async () => held[0]);
    const answered = page.waitForEvent('response', (response) => response.request() === held[0]?.request());
    const givenUp = page.waitForEvent('requestfailed', (request) => request === held[0]?.request());
    await page.getByLabel('24 hours').check();
    const chart = page.locator('.chart canvas');
    await chart.waitFor();
    // No later request can show the figures again.
    await page.route('**/api/overview', () => undefined);
    await held[0]?.continue().catch(() => undefined);
    await Promise.any([answered, givenUp]);
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done)))');
    expect(await chart.count()).toBe(1);
  });

  test('the page uses the browser’s language and theme, and remembers a different choice', async () => {
    const { page } = await open('#/bounces', { locale: 'ja-JP', colorScheme: 'dark' });
    await page.getByRole('heading', { name: 'バウンス' }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('ja');
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
    const time = page.locator('table.rows time:visible').first();
    expect(await time.getAttribute('title')).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    // Nothing covers the time, so the pointer reaches its title.
    await time.hover();
    await expectAccessible(page, BOTH_THEMES);
    await page.setViewportSize({ width: 360, height: 740 });
    for (const view of ['送信', 'メール', 'バウンス', '集計', '試す']) {
      await page.getByRole('link', { name: view, exact: true }).click();
      await page.locator('nav a[aria-current=page]', { hasText: view }).waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), view).toBe(0);
    }
    await page.getByRole('link', { name: 'バウンス', exact: true }).click();
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('button', { name: 'Dark theme', pressed: true }).click();
    await page.reload();
    await page.getByRole('heading', { name: 'Bounces' }).waitFor();
    expect(await page.locator('html').getAttribute('data-theme')).toBe('light');
  });
});
