/** A real browser for the tests of the console. */
import { existsSync } from 'node:fs';
import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { localConsole } from '../../bin/support/local-console.ts';
import { type RunningStack, runningStack } from '../end-to-end/running-stack.ts';
import { temporaryFolder } from '../temporary.ts';

/** Where Chrome is installed, elsewhere than on Linux x64, which has one in an npm package. */
const INSTALLED = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  '/usr/bin/google-chrome',
  '/usr/bin/chromium',
];
const packaged = process.platform === 'linux' && process.arch === 'x64';
const installed = INSTALLED.find((path) => existsSync(path));

/** The tests of a file that need a browser; skipped where there is none. */
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
  /** Opens a view in a browser of its own, which closes with the test. It must report no error. */
  open(hash: string, options?: BrowserContextOptions): Promise<Opened>;
}

/** A stack that serves the page, and a browser, for the tests of one block. */
export function consoleUnderTest(): ConsoleUnderTest {
  const stack = runningStack({ page: localConsole((line) => reported.push(line)) });
  const reported: string[] = [];
  let browser: Browser | undefined;
  beforeAll(async () => {
    const unpacked = temporaryFolder();
    browser = await playwright.launch({
      executablePath: packaged ? await unpack(unpacked) : (installed ?? ''),
      args: ['--no-sandbox', '--no-zygote', '--disable-gpu'],
    });
  });
  afterAll(async () => {
    await browser?.close();
    expect(reported).toEqual([]);
  });
  return {
    stack,
    async open(hash, options = {}) {
      if (browser === undefined) throw new Error('The browser runs only while the tests do');
      const context = await browser.newContext({
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

/** Into a folder of our own: the package unpacks into the common one, where another run may be half-way. */
function unpack(folder: string): Promise<string> {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  // It reads the variable before it waits for anything.
  const path = chromium.executablePath();
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
  return path;
}

/** Text from outside that tries to be more than text. */
export const HOSTILE = {
  markup: '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>',
  rightToLeft: '\u202egnp.exe\u202c شكرا لطلبك',
  long: 'W'.repeat(2_000),
};
