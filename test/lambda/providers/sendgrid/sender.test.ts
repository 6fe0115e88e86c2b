import http from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readHeaders } from '../../../../lambda/mail/headers.ts';
import { sendGridSender } from '../../../../lambda/providers/sendgrid/sender.ts';
import { listen } from '../../../../local/ports.ts';
import { failureOf, mail } from '../mails.ts';

interface Request {
  readonly line: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: unknown;
}

let answer: (response: http.ServerResponse) => void;
let requests: Request[];
let server: http.Server;
let apiUrl: string;

beforeEach(async () => {
  requests = [];
  answer = accepted;
  server = http.createServer(async (request, response) => {
    const body = JSON.parse(await text(request));
    requests.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    answer(response);
  });
  apiUrl = `http://127.0.0.1:${await listen(server, 0, 'the mail API of the tests')}`;
});
afterEach(() => {
  vi.restoreAllMocks();
  server.close();
  server.closeAllConnections();
});

const API_KEY = 'SG.key';
const sender = (apiKey = API_KEY) => sendGridSender({ apiKey, apiUrl });
const send = (fields: Parameters<typeof mail>[0] = {}) => sender().send(mail(fields), '');

function accepted(response: http.ServerResponse) {
  response.writeHead(202, { 'X-Message-Id': 'LRzXl_NHStOGhQ4kofSm_A' }).end();
}

/** Makes SendGrid refuse a request with these errors. */
function refusing(status: number, ...errors: { message: string; field?: string | null; help?: null }[]) {
  answer = (response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ errors }));
  };
}

test('SendGrid makes the message id', () => {
  expect(sender().choosesMessageId).toBe(false);
});

describe('a mail is handed over', () => {
  test('and is known under the X-Message-Id', async () => {
    expect(await send()).toEqual({ kind: 'sent', messageId: 'LRzXl_NHStOGhQ4kofSm_A', refused: [] });
  });

  test.each([[{}], [{ 'X-Message-Id': '' }]])('even without a usable X-Message-Id: %j', async (headers) => {
    answer = (response) => response.writeHead(202, headers).end();
    expect(await send()).toEqual({ kind: 'sent', messageId: undefined, refused: [] });
  });

  test('in one request with the API key', async () => {
    await send();
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({
      line: 'POST /v3/mail/send',
      headers: { authorization: 'Bearer SG.key', 'content-type': 'application/json' },
    });
  });

  test('with its content, and the id of its item as a custom argument', async () => {
    await send();
    expect(requests[0]?.body).toEqual({
      from: { email: 'shop@example.com', name: 'Shop' },
      personalizations: [{ to: [{ email: 'ann@example.com', name: 'Ann' }] }],
      subject: 'Hello',
      content: [{ type: 'text/plain', value: 'Hello Ann' }],
      custom_args: { todoke_mail_id: 'welcome-1' },
    });
  });

  test('to several addresses, with and without names', async () => {
    await send({
      to: [{ email: 'ann@example.com', name: 'Ann' }, { email: 'bob@example.com' }],
      cc: [{ email: 'carl@example.com', name: '山田, "太郎"' }],
      bcc: [{ email: 'dora@example.com' }],
      replyTo: [{ email: 'reply@example.com' }, { email: 'reply2@example.com', name: 'R' }],
    });
    expect(requests[0]?.body).toMatchObject({
      personalizations: [
        {
          to: [{ email: 'ann@example.com', name: 'Ann' }, { email: 'bob@example.com' }],
          cc: [{ email: 'carl@example.com', name: '山田, "太郎"' }],
          bcc: [{ email: 'dora@example.com' }],
        },
      ],
      reply_to_list: [{ email: 'reply@example.com' }, { email: 'reply2@example.com', name: 'R' }],
    });
  });

  test('with its own headers, in ASCII as SendGrid asks', async () => {
    const oneClick = {
      'List-Unsubscribe': '<https://example.com/unsubscribe?u=1>',
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
    };
    const own = { 'X-Campaign': '夏', custom_args: 'x', reply_to: 'y', camelCase: 'c' };
    await send({ headers: readHeaders({ ...oneClick, ...own }).headers });
    const summer = '=?UTF-8?B?5aSP?=';
    expect(requests[0]?.body).toMatchObject({ headers: { ...oneClick, ...own, 'X-Campaign': summer } });
  });

  test('of HTML only', async () => {
    await send({ content: '', html: '<p>Hello</p>' });
    expect(requests[0]?.body).toMatchObject({ content: [{ type: 'text/html', value: '<p>Hello</p>' }] });
  });

  test('of both, the plain text first', async () => {
    await send({ html: '<p>Hello</p>' });
    expect(requests[0]?.body).toMatchObject({
      content: [
        { type: 'text/plain', value: 'Hello Ann' },
        { type: 'text/html', value: '<p>Hello</p>' },
      ],
    });
  });

  test('with braces, line breaks and other characters unchanged', async () => {
    const odd = '{{name}} -%- \r\n\t<b>&amp; 😀 "\\';
    await send({ id: odd, content: odd, html: odd });
    expect(requests[0]?.body).toMatchObject({
      content: [
        { type: 'text/plain', value: odd },
        { type: 'text/html', value: odd },
      ],
      custom_args: { todoke_mail_id: odd },
    });
  });

  test('to an address that needs quotation marks, with the quotation marks', async () => {
    await send({ to: [{ email: 'a..b@docomo.ne.jp' }] });
    expect(requests[0]?.body).toMatchObject({ personalizations: [{ to: [{ email: '"a..b"@docomo.ne.jp' }] }] });
  });

  test('with the key of its own sender', async () => {
    await Promise.all([sender('SG.one').send(mail(), ''), sender('SG.two').send(mail(), '')]);
    expect(requests.map(({ headers }) => headers.authorization).sort()).toEqual(['Bearer SG.one', 'Bearer SG.two']);
  });
});

describe('a mail is refused permanently', () => {
  test("with SendGrid's message", async () => {
    refusing(400, { message: 'Does not contain a valid address.', field: 'personalizations.0.to.0.email', help: null });
    const error = await failureOf(send());
    expect(error.kind).toBe('refused');
    expect(error.reason).toBe(
      'SendGrid refused the mail (400: personalizations.0.to.0.email: Does not contain a valid address.)',
    );
  });

  test("with all of SendGrid's messages", async () => {
    refusing(400, { message: 'First.', field: null }, { message: 'Second.' }, { message: 'Third.', field: 'from' });
    expect((await failureOf(send())).reason).toBe('SendGrid refused the mail (400: First.: Second.: from: Third.)');
  });

  test('because it is too large: the answer is HTML', async () => {
    answer = (response) => response.writeHead(413, { 'Content-Type': 'text/html' }).end('<html>Too large</html>');
    const error = await failureOf(send());
    expect(error).toMatchObject({ kind: 'refused', reason: 'SendGrid refused the mail (413)' });
  });

  test.each(['null', '[]', '{"errors":null}', '{"errors":[{}]}', '{'])('if the answer is invalid: %s', async (body) => {
    answer = (response) => response.writeHead(400, { 'Content-Type': 'application/json' }).end(body);
    expect(await failureOf(send())).toMatchObject({ kind: 'refused', reason: 'SendGrid refused the mail (400)' });
  });

  test('without a retry', async () => {
    refusing(500);
    await failureOf(send());
    expect(requests).toHaveLength(1);
  });
});

describe('the API key is refused', () => {
  test.each([
    [401, 'The provided authorization grant is invalid, expired, or revoked'],
    [403, 'access forbidden'],
  ])('with %i', async (status, message) => {
    refusing(status, { message, field: null });
    const error = await failureOf(send());
    expect(error).toMatchObject({ kind: 'refused', blames: 'account' });
    expect(error.reason).toBe(
      `SendGrid refused the API key (${status}: ${message}): check sendgridApiKey of the sender secret, and that it may send mail`,
    );
  });

  test('but not if the sender is not verified: that concerns one mail', async () => {
    const message = 'The from address does not match a verified Sender Identity.';
    refusing(403, { message, field: 'from' });
    expect(await failureOf(send())).toMatchObject({
      kind: 'refused',
      blames: 'sender',
      reason: `SendGrid refused the mail (403: from: ${message}): verify this sender address as a Sender Identity at SendGrid, or change the attribute from`,
    });
  });

  test('and is never in the error', async () => {
    for (const status of [400, 401, 403, 429, 500]) {
      refusing(status, { message: 'No.' });
      expect((await failureOf(send())).reason).not.toContain(API_KEY);
    }
  });

  test('without a request, when none is configured', async () => {
    vi.spyOn(console, 'warn').mockReturnValue();
    const error = await failureOf(sender('').send(mail(), ''));
    expect(error).toMatchObject({
      kind: 'refused',
      blames: 'account',
      reason: expect.stringContaining('has no API key; put it into sendgridApiKey'),
    });
    expect(requests).toEqual([]);
  });

  test('and nothing is logged, when none is configured', () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    sender('').close();
    expect(warn).not.toHaveBeenCalled();
  });
});

describe('a mail is deferred', () => {
  test('after too many requests, until the time that SendGrid names', async () => {
    answer = (response) => {
      response.writeHead(429, { 'Content-Type': 'application/json', 'X-RateLimit-Reset': '1674623115' });
      response.end('{"errors":[{"message":"too many requests","field":null}]}');
    };
    const error = await failureOf(send());
    expect(error).toMatchObject({
      kind: 'deferred',
      reason: 'SendGrid could not take the mail now (429: too many requests)',
      retryAtMs: 1_674_623_115_000,
    });
  });

  test.each([undefined, 'soon', '', '0', '-1'])(
    'after too many requests, without a time if it is %j',
    async (reset) => {
      answer = (response) => response.writeHead(429, reset === undefined ? {} : { 'X-RateLimit-Reset': reset }).end();
      const error = await failureOf(send());
      expect(error).toMatchObject({ kind: 'deferred', reason: 'SendGrid could not take the mail now (429)' });
      expect(error.retryAtMs).toBeUndefined();
    },
  );

  test.each([408, 500, 502, 503, 504])('when it fails with %i', async (status) => {
    refusing(status);
    expect(await failureOf(send())).toMatchObject({ kind: 'deferred' });
  });

  test('when SendGrid cannot be reached', async () => {
    server.close();
    server.closeAllConnections();
    const error = await failureOf(send());
    expect(error.kind).toBe('deferred');
    expect(error.reason).toMatch(/^SendGrid could not be reached .*ECONNREFUSED/);
  });

  test('when the connection breaks before the answer', async () => {
    answer = (response) => response.destroy();
    expect(await failureOf(send())).toMatchObject({
      kind: 'deferred',
      reason: expect.stringContaining('could not be reached'),
    });
  });
});
