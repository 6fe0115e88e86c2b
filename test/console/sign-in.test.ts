import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWTPayload, SignJWT } from 'jose';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { consoleChecks } from '../../bin/support/doctor/console.ts';
import { doctorContext } from '../../bin/support/doctor/context.ts';
import { parseOutputs } from '../../bin/support/outputs.ts';
import { hashOfAddress } from '../../console/server/access-log.ts';
import { CALLS, CONSOLE_HEADER } from '../../console/shared/api.ts';
import { CLIENT_ID } from '../../local/sign-in/openid-provider.ts';
import { runningStack, until } from '../end-to-end/running-stack.ts';
import { grantsOf } from '../iam/policies.ts';
import { serviceRequests } from '../iam/services.ts';
import { unusedGrants } from '../iam/unused-grants.ts';
import { BOTH_THEMES, expectAccessible } from './accessible.ts';
import { bounceOf, writeRows } from './bounce-rows.ts';
import { browserOfFile, describePage } from './browser.ts';

const browser = browserOfFile();
/** The start of a signed token: its header and its payload. A random text may contain `eyJ`. */
const TOKEN = /eyJ[\w-]+\.eyJ/;

const stack = runningStack({ signIn: true });
const origin = () => new URL(stack().local.outputs['ConsoleUrl'] ?? '').origin;
const provider = () => stack().local.openId ?? expect.unreachable();

const READER = { sub: 'reader', email: 'reader@example.com', email_verified: true };
const OPERATOR = { ...READER, sub: 'operator', email: 'operator@example.com', groups: ['mail operators'] };
const STRANGER = { sub: 'stranger', email: 'stranger@example.net', email_verified: true };

/** A token as the provider makes it, with some changes. */
async function tokenOf(
  claims: JWTPayload,
  change: { expiresIn?: number; key?: Parameters<SignJWT['sign']>[0]; kid?: string } = {},
) {
  const { expiresIn = 600, kid = 'local' } = change;
  const now = Math.floor(Date.now() / 1_000);
  const key = change.key ?? (await importJWK({ ...provider().signingKey }, 'RS256'));
  return new SignJWT({ iss: provider().issuer, aud: CLIENT_ID, iat: now, exp: now + expiresIn, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid })
    .sign(key);
}

/** A call as the page makes it, with some changes. A header that is undefined is left out. */
async function ask(name: string, token: string | undefined, change: { headers?: object; body?: unknown } = {}) {
  const headers: Record<string, string> = {};
  const given = {
    Origin: origin(),
    'Sec-Fetch-Site': 'same-origin',
    'Content-Type': 'application/json',
    [CONSOLE_HEADER]: '1',
    Authorization: token === undefined ? undefined : `Bearer ${token}`,
    ...change.headers,
  };
  for (const [header, value] of Object.entries(given)) if (typeof value === 'string') headers[header] = value;
  const body = JSON.stringify(change.body ?? {});
  const response = await fetch(`${origin()}/api/${name}`, { method: 'POST', headers, body });
  return { status: response.status, body: await response.json() };
}

const logLines = async () => {
  const text = await readFile(join(stack().dir, 'logs/Console.log'), 'utf8');
  return text.split('\n').flatMap((line) => {
    const json = /\{.*\}/.exec(line)?.[0];
    return json === undefined ? [] : [JSON.parse(json)];
  });
};

beforeAll(async () => {
  await stack().insert({ id: 'mistyped', from: 'shop@example.com', to: 'nobody', subject: 'S', content: 'C' });
  await stack().settled('mistyped');
  await stack().log({
    messageId: 'known',
    entry: 'mail',
    from: 'a@example.com',
    to: 'taro@example.jp',
    subject: 'S',
  });
  await stack().postSendGrid([
    {
      email: 'taro@example.jp',
      timestamp: 1_790_000_000,
      event: 'bounce',
      sg_event_id: 'e',
      sg_message_id: 'known.recvd',
    },
  ]);
  await until('the row', async () => (await stack().bounces('known'))[0]);
});

describe('a token', () => {
  test('of a reader gives access to what readers may see', async () => {
    const answer = await ask('session', await tokenOf(READER));
    expect(answer).toMatchObject({ status: 200, body: { mode: 'team', canOperate: false, canSend: false } });
  });

  test.each<[string, () => Promise<string | undefined>]>([
    ['that is missing', async () => undefined],
    ['that has expired', () => tokenOf(READER, { expiresIn: -1 })],
    ['of another client', () => tokenOf({ ...READER, aud: 'another-client' })],
    ['of another client, even with this client_id', () => tokenOf({ ...READER, aud: 'x', client_id: CLIENT_ID })],
    ['of another issuer', () => tokenOf({ ...READER, iss: 'https://openid.example.net' })],
    ['without an audience', () => tokenOf({ ...READER, aud: [], client_id: CLIENT_ID })],
    [
      'of an unknown key',
      async () => tokenOf(READER, { key: (await generateKeyPair('RS256')).privateKey, kid: 'other' }),
    ],
    [
      'of an unknown key with the id of a known key',
      async () => tokenOf(READER, { key: (await generateKeyPair('RS256')).privateKey }),
    ],
    ['with alg: none', async () => unsigned(await tokenOf(READER))],
    ['signed with the public key as a shared secret', async () => signedByPublicKey(await tokenOf(READER))],
    ['whose claims were changed', async () => withClaims(await tokenOf(READER), OPERATOR)],
    ['beside another', async () => `${await tokenOf(STRANGER)}, Bearer ${await tokenOf(OPERATOR)}`],
  ])('%s is refused', async (_, token) => {
    expect((await ask('session', await token())).status).toBe(401);
    expect((await ask('search', await token(), { body: { text: 'a@example.jp' } })).status).toBe(401);
  });

  test('of a person on no list gives access to nothing, with any claims', async () => {
    for (const claims of [
      STRANGER,
      { ...READER, email_verified: false },
      { ...READER, email_verified: 'false' },
      { ...READER, email: 'reader@example.com@example.net' },
      { sub: 'x', groups: ['no mail operators', 'mail', 'operators'] },
      { sub: 'x' },
    ]) {
      for (const name of Object.keys(CALLS)) {
        expect(await ask(name, await tokenOf(claims)), name).toMatchObject({ status: 403 });
      }
    }
  });
});

const parts = (token: string) => token.split('.') as [string, string, string];
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = (token: string) => `${encoded({ alg: 'none' })}.${parts(token)[1]}.`;
const withClaims = (token: string, claims: object) => {
  const [head, payload, signature] = parts(token);
  return `${head}.${encoded({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...claims })}.${signature}`;
};
async function signedByPublicKey(token: string) {
  const { d, p, q, dp, dq, qi, ...publicKey } = provider().signingKey;
  const secret = Buffer.from(JSON.stringify(await exportJWK(await importJWK({ ...publicKey }, 'RS256'))));
  return new SignJWT(JSON.parse(Buffer.from(parts(token)[1], 'base64url').toString()))
    .setProtectedHeader({ alg: 'HS256', kid: 'local' })
    .sign(secret);
}

describe('roles', () => {
  test('a reader can read everything, but make no operator’s or engineer’s call', async () => {
    const token = await tokenOf(READER);
    const resentAt = async () => (await stack().mail('mistyped'))?.['resentAt'];
    const before = await resentAt();
    const edges = ['2026-09-01T00:00:00.000Z', '2026-10-01T00:00:00.000Z'];
    const asked: Record<string, object> = {
      recipient: { email: 'taro@example.jp' },
      search: { text: 'known' },
      story: { messageId: 'known' },
      bounces: { filter: { search: 'known' } },
      overview: { edges },
    };
    for (const [name, { role }] of Object.entries(CALLS)) {
      const { status } = await ask(name, token, { body: asked[name] ?? { id: 'mistyped' } });
      expect(status, name).toBe(role === 'reader' ? 200 : 403);
    }
    expect((await ask('bounces', token, { body: { filter: {} } })).status).toBe(200);
    expect((await ask('bounces', token, { body: { filter: { search: 'taro@example.jp' } } })).status).toBe(200);
    expect((await ask('recipient', token, { body: { email: 'taro@example.jp', silent: true } })).status).toBe(200);
    expect((await ask('search', token, { body: { text: 'taro@example.jp' } })).body).toMatchObject({
      view: 'recipient',
    });
    expect(await resentAt()).toBe(before);
  });

  test('an operator can send again, but make no engineer’s call', async () => {
    const token = await tokenOf(OPERATOR);
    expect(await ask('resend', token, { body: { id: 'mistyped' } })).toMatchObject({ body: { again: true } });
    for (const name of ['send', 'samples', 'post', 'rowsOf']) expect((await ask(name, token)).status, name).toBe(403);
  });

  test('an operator can suppress an address, and allow it again', async () => {
    const token = await tokenOf(OPERATOR);
    const decide = async (outcome: string) =>
      (await ask('decide', token, { body: { email: 'saburo@example.jp', outcome } })).body;
    expect(await decide('suppressed')).toMatchObject({ suppressed: { by: 'decision' } });
    expect(await decide('allowed')).toEqual({ suppressed: null });
  });

  test('lists of more rows than one page are read by day', async () => {
    const token = await tokenOf(READER);
    const many = Array.from({ length: 301 }, (_, n) => bounceOf(`many-${n}`, Date.now() - n));
    const logged = many.map(({ messageId, occurredAt, day }) => ({
      messageId,
      entry: 'mail',
      sentAt: occurredAt,
      day,
    }));
    await writeRows(stack(), 'BounceTableName', many);
    await writeRows(stack(), 'SentLogTableName', logged);
    expect((await ask('bounces', token, { body: { filter: {} } })).status).toBe(200);
    expect((await ask('mails', token)).status).toBe(200);
  });

  test("an operator can erase a person's data: rows are first counted, then erased, page by page", async () => {
    const token = await tokenOf(OPERATOR);
    const email = 'jiro@example.jp';
    const forget = async (erases: boolean) => (await ask('forget', token, { body: { email, erases } })).body;
    const mail = { entry: 'mail', from: 'a@example.com', subject: 'S' };
    await stack().log({ ...mail, messageId: 'alone', to: email });
    await stack().log({ ...mail, messageId: 'shared', to: `${email}, ann@example.jp` });
    await stack().insert({ id: 'own', status: 'sent', messageId: 'alone', to: email, subject: 'S' });
    await stack().postSendGrid([
      { email, timestamp: 1_790_000_000, event: 'bounce', sg_event_id: 'f', sg_message_id: 'alone.recvd' },
    ]);
    await until('the row', async () => (await stack().bounces('alone'))[0]);
    expect(await forget(false)).toMatchObject({ rows: 5, changed: 0 });
    expect(await stack().story('alone')).toHaveLength(2);
    expect(await forget(true)).toMatchObject({ rows: 5, changed: 0, stays: [] });
    expect([await stack().story('alone'), await stack().bounces('alone'), await stack().mail('own')]).toEqual([
      [],
      [],
      undefined,
    ]);
    expect((await stack().story('shared'))[0]?.['to']).toBe('[{"email":"ann@example.jp"}]');
    expect(await forget(true)).toMatchObject({ rows: 0 });
  });

  test('another site’s calls are refused, in every form', async () => {
    const token = await tokenOf(OPERATOR);
    for (const headers of [
      { Origin: 'https://evil.example' },
      { Origin: 'null' },
      { Origin: undefined, 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { [CONSOLE_HEADER]: undefined },
    ]) {
      expect((await ask('resend', token, { headers, body: { id: 'mistyped' } })).status, JSON.stringify(headers)).toBe(
        403,
      );
    }
    expect((await ask('resend', token, { headers: { 'Content-Type': 'text/plain' } })).status).toBe(415);
    const preflight = await fetch(`${origin()}/api/resend`, {
      method: 'OPTIONS',
      headers: { Origin: 'https://evil.example' },
    });
    expect(Array.from(preflight.headers.keys()).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('each search and each change is logged with the person, the call, and the address only as a keyed hash', async () => {
    const email = 'Hanako@Example.jp';
    await ask('search', await tokenOf(READER), { body: { text: `Hanako <${email}>` } });
    await ask('recipient', await tokenOf(READER), { body: { email } });
    await ask('resend', await tokenOf(STRANGER), { body: { id: 'asked-by-a-stranger' } });
    const { key } = JSON.parse(await readFile(join(stack().dir, 'access-log-secret.json'), 'utf8'));
    const searched = hashOfAddress('hanako@example.jp', key);
    const lines = await until('the lines', async () => {
      const found = (await logLines()).filter(({ message }) => message === 'console');
      return found.some(({ item }) => item === 'asked-by-a-stranger') ? found : undefined;
    });
    const reader = { subject: 'reader', user: 'reader@example.com', searched, status: 200 };
    expect(lines).toContainEqual(expect.objectContaining({ call: 'search', ...reader }));
    expect(lines).toContainEqual(expect.objectContaining({ call: 'recipient', ...reader }));
    expect(lines).toContainEqual(
      expect.objectContaining({ call: 'resend', subject: 'stranger', status: 403, item: 'asked-by-a-stranger' }),
    );
    const text = await readFile(join(stack().dir, 'logs/Console.log'), 'utf8');
    expect(text).not.toMatch(/hanako|taro/i);
    expect(text).not.toMatch(TOKEN);
  });
});

test('the page and its files are served to everybody, without data, and are cached by their hash', async () => {
  const page = await fetch(`${origin()}/`);
  const html = await page.text();
  expect(page.headers.get('cache-control')).toBe('no-store');
  const policy = page.headers.get('content-security-policy') ?? '';
  expect(policy).toContain(`connect-src 'self' ${provider().issuer}`);
  expect(policy).not.toMatch(/unsafe|\*/);
  const files = Array.from(html.matchAll(/(?:src|href)="(\/[\w-]+\.(?:js|css))"/g), ([, path]) => path);
  expect(files).toHaveLength(2);
  for (const path of files) {
    const { status, headers } = await fetch(`${origin()}${path}`);
    expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable']);
    expect(headers.get('strict-transport-security')).toMatch(/max-age=\d{8}/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
  expect((await fetch(`${origin()}/page.json`)).status).toBe(404);
});

test('the doctor reads the discovery document, and checks that a call without a token is refused', async () => {
  const looked = async (outputs = {}) => {
    const stackOf = { name: 'Todoke', outputs: parseOutputs({ ...stack().local.outputs, ...outputs }) };
    const context = doctorContext(stackOf, { webhookKey: '', days: 3 });
    onTestFinished(() => context.dynamo.destroy());
    return Promise.all(consoleChecks(context).map(({ look }) => look()));
  };
  expect(await looked()).toMatchObject([{ state: 'ok' }, { state: 'ok', says: 'was refused' }]);
  const wrong = { ConsoleIssuer: `${provider().issuer}/other`, ConsoleUrl: provider().issuer };
  expect(await looked(wrong)).toMatchObject([
    { state: 'fix', says: expect.stringContaining('consoleIssuer') },
    { state: 'fix', says: expect.stringContaining('instead of 401') },
  ]);
  expect(await looked({ ConsoleIssuer: undefined })).toMatchObject([{ state: 'skipped' }]);
});

describePage('signing in', () => {
  const storage = (page: Page) =>
    page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])');

  async function open(hash: string, locale = 'en-US') {
    const context = await browser().newContext({ locale, viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const addresses: string[] = [];
    const errors: string[] = [];
    context.on('request', (request) => addresses.push(`${request.url()} ${request.headers()['referer'] ?? ''}`));
    page.on('pageerror', (error) => errors.push(error.message));
    onTestFinished(async () => {
      await context.close();
      expect(errors).toEqual([]);
      // No URL contains a token, whichever test ran first.
      expect(addresses.filter((address) => TOKEN.test(address))).toEqual([]);
    });
    await page.goto(`${origin()}/${hash}`);
    return { page, addresses };
  }

  test('returns to the shared link; an expired session signs in again; signing out ends the session', async () => {
    const link = '#/recipient/taro%40example.jp';
    const { page, addresses } = await open(link);
    await page.getByRole('link', { name: 'operator@example.com' }).click();
    await page.getByRole('heading', { name: 'Mail to taro@example.jp' }).waitFor();
    expect(page.url()).toBe(`${origin()}/${link}`);
    expect(await storage(page)).not.toMatch(TOKEN);
    expect(await storage(page)).not.toMatch(/verifier/);
    await page.getByText('Erase this person’s data').click();
    await page.getByRole('button', { name: 'Count the rows' }).click();
    await page.getByText(/^Found: \d+ rows? about this person, of \d+ that were read/).waitFor();
    await expectAccessible(page, BOTH_THEMES);

    // The code was already used, so it is worth nothing to anybody who has it.
    const code = addresses
      .map((address) => /[?&]code=([^& ]+)/.exec(address)?.[1])
      .find((found) => found !== undefined);
    const replayed = await fetch(`${provider().issuer}/token`, {
      method: 'POST',
      headers: { Origin: origin() },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: code ?? '',
        client_id: CLIENT_ID,
        redirect_uri: `${origin()}/`,
        code_verifier: 'x'.repeat(43),
      }),
    });
    expect([replayed.status, await replayed.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
    // In the page, the used code starts a new sign-in.
    await page.goto(`${origin()}/?code=${code}&state=made-up`);
    await page.getByRole('heading', { name: 'What became of a mail?' }).waitFor();
    expect(page.url()).toBe(`${origin()}/`);

    await page.getByRole('link', { name: 'Bounces' }).click();
    await page.getByRole('heading', { name: 'Bounces' }).waitFor();
    await page.evaluate('Date.now = (now => () => now() + 60_000)(Date.now.bind(Date))');
    let refusals = 1;
    await page.route('**/api/search', (route) =>
      refusals-- > 0 ? route.fulfill({ status: 401, json: { message: 'Unauthorized' } }) : route.continue(),
    );
    const before = addresses.length;
    await page.getByLabel('Find a mail').fill('taro@example.jp');
    await page.getByLabel('Find a mail').press('Enter');
    await until(
      'a sign-in',
      async () =>
        addresses.slice(before).some((address) => address.startsWith(`${provider().issuer}/auth`)) || undefined,
    );
    await page.getByRole('heading', { name: 'Bounces' }).waitFor();
    expect(page.url()).toBe(`${origin()}/#/bounces`);

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'You are signed out.' }).waitFor();
    await expectSignedOut(page);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Sign in as' }).waitFor();
  });

  async function expectSignedOut(page: Page) {
    expect(await storage(page)).not.toMatch(TOKEN);
    expect(await page.evaluate(`fetch('/api/session', { method: 'POST' }).then(({ status }) => status)`)).toBe(401);
  }

  test('tells a person on no list so, in their language, and shows a reader no operator’s button', async () => {
    const { page } = await open('', 'ja-JP');
    await page.getByRole('link', { name: 'stranger@example.net' }).click();
    await page.getByText('このコンソールの利用者として登録されていません').waitFor();
    await expectAccessible(page, BOTH_THEMES);
    await page.getByRole('button', { name: 'サインアウト' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'サインイン' }).click();
    await page.getByRole('link', { name: 'reader@example.com' }).click();
    await page.getByRole('heading', { name: 'メールの配信状況を調べる' }).waitFor();
    // An operator would see the button next to the item.
    await page.getByText('mistyped').waitFor();
    expect(await page.getByRole('button', { name: /再送|もう一度送信/ }).count()).toBe(0);
    await expectAccessible(page);
    await page.goto(`${origin()}/#/recipient/taro%40example.jp`);
    await page.getByRole('heading', { name: 'taro@example.jp' }).waitFor();
    expect(await page.getByText('この人のデータを消去する').count()).toBe(0);
  });
});

// After all tests of the file, in any order: the function must have used each of its grants, and has no other.
afterAll(async () => {
  const { access, policies, template } = stack();
  for (const request of serviceRequests(template, policies, 'ap-northeast-1')) await access.ask(request);
  const grants = grantsOf(policies).filter(({ holder }) => /^Console$|:function:Todoke-Console-/.test(holder));
  expect(grants.length).toBeGreaterThan(15);
  expect(await unusedGrants(grants, access.allowed.values(), policies), 'grants that nothing needs').toEqual([]);
});
