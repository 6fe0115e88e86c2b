/** A real browser for the tests of the console. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { localConsole } from '../../bin/support/local-console.ts';
import { type RunningStack, runningStack } from '../end-to-end/running-stack.ts';

const NODE_MODULES = join(import.meta.dirname, '../../node_modules');

/** Where Chrome is installed on other platforms. For Linux x64, an npm package contains it. */
const INSTALLED = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  '/usr/bin/google-chrome',
  '/usr/bin/chromium',
];
const packaged = process.platform === 'linux' && process.arch === 'x64';
const installed = INSTALLED.find((path) => existsSync(path));

/** The tests of a file that need a browser. They are skipped if there is none. */
export const describePage =
  packaged || installed !== undefined
    ? describe
    : (name: string, tests: () => void) => describe.skip(`${name} (no Chrome or Chromium is installed here)`, tests);

export interface Opened {
  readonly page: Page;
  /** Every request that the page made. */
  readonly requests: { readonly path: string; readonly body: string | null }[];
}

export interface ConsoleUnderTest {
  stack(): RunningStack;
  /** Opens a view in its own browser context, which is closed after the test. The page must report no error. */
  open(hash: string, options?: BrowserContextOptions): Promise<Opened>;
}

/** A browser for all tests of a file. */
export function browserOfFile(): () => Browser {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await playwright.launch({
      executablePath: packaged ? await unpacked() : (installed ?? ''),
      args: ['--no-sandbox', '--disable-gpu', '--in-process-gpu'],
    });
  });
  afterAll(() => browser?.close());
  return () => {
    if (browser === undefined) throw new Error('The browser runs only while the tests do');
    return browser;
  };
}

/** A stack that serves the page to the tests of one block. */
export function consoleUnderTest(browser: () => Browser): ConsoleUnderTest {
  const stack = runningStack({ page: localConsole((line) => reported.push(line)) });
  const reported: string[] = [];
  afterAll(() => expect(reported).toEqual([]));
  return {
    stack,
    async open(hash, options = {}) {
      const context = await browser().newContext({
        locale: 'en-US',
        timezoneId: 'Asia/Tokyo',
        viewport: { width: 1280, height: 900 },
        reducedMotion: 'reduce',
        ...options,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(20_000);
      const errors: string[] = [];
      const requests: { path: string; body: string | null }[] = [];
      const origin = new URL(stack().local.outputs['ConsoleUrl'] ?? '').origin;
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      page.on('request', (request) => {
        const url = new URL(request.url());
        if (url.origin !== origin && url.protocol !== 'blob:') errors.push(`asked ${url.href}`);
        requests.push({ path: url.pathname, body: request.postData() });
      });
      await page.goto(`${origin}/${hash}`);
      onTestFinished(async () => {
        await context.close();
        expect(errors).toEqual([]);
      });
      return { page, requests };
    },
  };
}

/** The packaged browser. It is unpacked once per version, into `TMPDIR`, because that takes two seconds of CPU time. */
async function unpacked(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(NODE_MODULES, '@sparticuz/chromium/package.json'), 'utf8'));
  const cache = join(NODE_MODULES, '.cache');
  const folder = join(cache, `chromium-${version}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const fresh = await mkdtemp(join(cache, 'unpacking-'));
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = fresh;
    // The package reads the variable before its first asynchronous step.
    const path = chromium.executablePath();
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    await path;
    // The folder appears complete or not at all. If another test file was faster, its browser is used.
    await rename(fresh, folder).catch(() => rm(fresh, { recursive: true }));
  }
  return join(folder, 'chromium');
}

/** Text from outside that tries to act as code. */
export const HOSTILE = {
  markup: '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>',
  rightToLeft: '\u202egnp.exe\u202c شكرا لطلبك',
  long: 'W'.repeat(2_000),
};
