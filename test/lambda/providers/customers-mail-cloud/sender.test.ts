import dns from 'node:dns';
import tls from 'node:tls';
import PostalMime, { decodeWords } from 'postal-mime';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readHeaders } from '../../../../lambda/mail/headers.ts';
import { customersMailCloudSender } from '../../../../lambda/providers/customers-mail-cloud/sender.ts';
import type { Sender } from '../../../../lambda/providers/sender.ts';
import { issueLocalCertificate } from '../../../../local/simulators/certificate.ts';
import { failureOf, mail } from '../mails.ts';
import { ACCOUNT, type MailServer, reply, startMailServer, startScriptedServer, type TestServer } from '../smtp.ts';

const certificate = await issueLocalCertificate();
const MESSAGE_ID = '<031a32d4-06cd-b1ae-9526-011c0b9f1296@example.com>';

let opened: (Pick<Sender, 'close'> | TestServer)[];

beforeEach(() => {
  opened = [];
  trust(certificate.ca);
});
afterEach(() => {
  for (const one of opened.toReversed()) one.close();
  vi.restoreAllMocks();
});

/** Does in this process what NODE_EXTRA_CA_CERTS does at the start of one. The certificate is still verified. */
function trust(ca: string) {
  vi.restoreAllMocks();
  const { createSecureContext } = tls;
  vi.spyOn(tls, 'createSecureContext').mockImplementation((options) => createSecureContext({ ...options, ca }));
}

function open<One extends Pick<Sender, 'close'> | TestServer>(one: One): One {
  opened.push(one);
  return one;
}

async function start(options: Parameters<typeof startMailServer>[1] = {}): Promise<MailServer> {
  return open(await startMailServer(certificate, options));
}

function sender(
  { port }: TestServer,
  { limitMs, ...account }: Partial<typeof ACCOUNT & { host: string; limitMs: number }> = {},
): Sender {
  const smtp = { host: '127.0.0.1', port, ...ACCOUNT, ...account };
  return open(customersMailCloudSender({ smtp, ...(limitMs !== undefined && { limitMs }) }));
}

/** Hands a mail over and returns what arrived. */
async function arrived(fields: Parameters<typeof mail>[0] = {}) {
  const server = await start();
  await sender(server).send(mail(fields), MESSAGE_ID);
  const [message] = server.messages;
  if (message === undefined || server.messages.length > 1)
    return expect.fail(`${server.messages.length} messages arrived`);
  const source = message.source.toString();
  return { ...message, source, parsed: await PostalMime.parse(source) };
}

test('the sender chooses the message id', async () => {
  expect(sender(await start()).choosesMessageId).toBe(true);
});

describe('a mail is handed over', () => {
  test('and is known under the message id that was given', async () => {
    expect(await sender(await start()).send(mail(), MESSAGE_ID)).toEqual({
      kind: 'sent',
      messageId: MESSAGE_ID,
      refused: [],
    });
  });

  test('with that message id as Message-ID and X-Api-Data', async () => {
    const { source } = await arrived();
    expect(source.match(/^Message-ID: .*$/gim)).toEqual([`Message-ID: ${MESSAGE_ID}`]);
    expect(source.match(/^X-Api-Data: .*$/gim)).toEqual([`X-Api-Data: ${MESSAGE_ID}`]);
  });

  test('with its addresses, subject and content', async () => {
    const { parsed } = await arrived({ replyTo: [{ email: 'reply@example.com', name: 'R' }] });
    expect(parsed).toMatchObject({
      from: { address: 'shop@example.com', name: 'Shop' },
      to: [{ address: 'ann@example.com', name: 'Ann' }],
      replyTo: [{ address: 'reply@example.com', name: 'R' }],
      subject: 'Hello',
      text: expect.stringMatching(/^Hello Ann\s*$/),
    });
    expect(parsed.html).toBeUndefined();
    expect(parsed.cc ?? []).toEqual([]);
  });

  test('to several addresses, and those of bcc appear nowhere in it', async () => {
    const { from, recipients, source, parsed } = await arrived({
      to: [{ email: 'ann@example.com', name: '山田, "太郎"' }, { email: 'bob@example.com' }],
      cc: [{ email: 'carl@example.com', name: 'Carl' }],
      bcc: [{ email: 'dora@example.com', name: 'Dora' }],
    });
    expect(from).toBe('shop@example.com');
    expect(recipients).toEqual(['ann@example.com', 'bob@example.com', 'carl@example.com', 'dora@example.com']);
    expect(parsed.to).toMatchObject([
      { address: 'ann@example.com', name: '山田, "太郎"' },
      { address: 'bob@example.com' },
    ]);
    expect(parsed.cc).toMatchObject([{ address: 'carl@example.com', name: 'Carl' }]);
    expect(source).not.toMatch(/dora/i);
  });

  test('with its own headers, and no header line is too long', async () => {
    const url = `<https://example.com/unsubscribe?u=${'x'.repeat(860)}>`;
    const { headers } = readHeaders({
      'List-Unsubscribe': url,
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      'Auto-Submitted': 'auto-generated',
      'X-Campaign': '夏のキャンペーン'.repeat(12),
      'X-Words': 'some words '.repeat(150),
      [`X-${'long'.repeat(18)}`]: 'name',
      // Two headers with the names `key` and `value`. They must not become one header with the name Bcc.
      key: 'Bcc',
      value: 'eve@example.com',
    });
    const { source, recipients, parsed } = await arrived({ headers });
    expect(recipients).toEqual(['ann@example.com']);
    expect(source.split('\r\n').every((line) => line.length <= 998 && !/^\s+$/.test(line))).toBe(true);
    const values = new Map(parsed.headers.map(({ key, value }) => [key, value]));
    expect(values.get('list-unsubscribe')).toBe(url);
    expect(values.get('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click');
    expect(values.get('auto-submitted')).toBe('auto-generated');
    expect(decodeWords(values.get('x-campaign') ?? '')).toBe('夏のキャンペーン'.repeat(12));
    expect(values.get('x-words')).toBe('some words '.repeat(150).trim());
    expect(values.get(`x-${'long'.repeat(18)}`)).toBe('name');
    expect([values.get('key'), values.get('value'), values.get('bcc')]).toEqual(['Bcc', 'eve@example.com', undefined]);
    expect(values.get('x-api-data')).toBe(MESSAGE_ID);
  });

  test('of HTML only', async () => {
    const { parsed, source } = await arrived({ content: '', html: '<p>こんにちは</p>' });
    expect(parsed.html).toMatch(/^<p>こんにちは<\/p>\s*$/);
    expect(source).toMatch(/^Content-Type: text\/html/im);
    expect(source).not.toMatch(/^Content-Type: text\/plain/im);
  });

  test('of plain text and HTML', async () => {
    const { parsed } = await arrived({ subject: 'メールマガジンのテスト', html: '<p>Hello</p>' });
    expect(parsed).toMatchObject({
      subject: 'メールマガジンのテスト',
      text: expect.stringMatching(/^Hello Ann\s*$/),
      html: expect.stringMatching(/^<p>Hello<\/p>\s*$/),
    });
  });

  test('and content that looks like a file name or a URL stays text', async () => {
    const { parsed } = await arrived({ content: '/etc/passwd', html: 'https://example.com/' });
    expect(parsed).toMatchObject({
      text: expect.stringMatching(/^\/etc\/passwd\s*$/),
      html: expect.stringMatching(/^https:/),
    });
  });

  test('with lines that are a single dot, and with uniform line ends', async () => {
    const { parsed } = await arrived({ content: 'one\n.\n..\ntwo\r\nthree' });
    expect(parsed.text?.trimEnd().split(/\r?\n/)).toEqual(['one', '.', '..', 'two', 'three']);
  });

  test.each(['Hello\r\nBcc: eve@example.com', 'Hello\nBcc: eve@example.com\n\nHacked', 'Hello\rBcc: eve@example.com'])(
    'without a header from its subject: %j',
    async (subject) => {
      const { parsed, recipients } = await arrived({ subject });
      expect(recipients).toEqual(['ann@example.com']);
      expect(parsed.headers.map(({ key }) => key)).not.toContain('bcc');
      expect(parsed.text).toMatch(/^Hello Ann\s*$/);
    },
  );

  test('after another, over the same connection', async () => {
    const server = await start();
    const both = sender(server);
    await both.send(mail(), '<1@example.com>');
    await both.send(mail(), '<2@example.com>');
    expect(server.messages).toHaveLength(2);
    expect(server.logins()).toBe(1);
  });

  test('at the same time as others', async () => {
    const server = await start();
    const one = sender(server);
    await Promise.all(Array.from({ length: 20 }, (_, i) => one.send(mail(), `<${i}@example.com>`)));
    expect(server.messages).toHaveLength(20);
  });
});

describe('a recipient that is refused', () => {
  const refusing = (code: number, ...recipients: string[]) =>
    start({
      onRcptTo({ address }, _session, callback) {
        callback(recipients.includes(address) ? reply(code, `5.1.1 <${address}>: User unknown`) : null);
      },
    });
  const two = mail({ to: [{ email: 'ann@example.com' }, { email: 'gone@example.com' }] });

  test('is reported, and the others get the mail', async () => {
    const server = await refusing(550, 'gone@example.com');
    expect(await sender(server).send(two, MESSAGE_ID)).toEqual({
      kind: 'sent',
      messageId: MESSAGE_ID,
      refused: [{ recipient: 'gone@example.com', reply: '550 5.1.1 <gone@example.com>: User unknown' }],
    });
    expect(server.messages).toMatchObject([{ recipients: ['ann@example.com'] }]);
  });

  test('makes the mail refused if there is no other recipient', async () => {
    const server = await refusing(550, 'ann@example.com', 'gone@example.com');
    expect(await failureOf(sender(server).send(two, MESSAGE_ID))).toMatchObject({
      kind: 'refused',
      blames: 'recipients',
      reason: expect.stringMatching(/^Customers Mail Cloud refused the mail \(550 5\.1\.1 <.*>: User unknown\)$/),
      replies: [
        { recipient: 'ann@example.com', reply: '550 5.1.1 <ann@example.com>: User unknown' },
        { recipient: 'gone@example.com', reply: '550 5.1.1 <gone@example.com>: User unknown' },
      ],
    });
    expect(server.messages).toEqual([]);
  });

  test.each([
    [550, 450, 'mailboxes'],
    [450, 550, 'mailboxes'],
    [550, 451, 'provider'],
    [450, 452, 'provider'],
  ])('for now, together with one that is refused permanently: %i and %i', async (ann, gone, blames) => {
    const server = await start({
      onRcptTo: ({ address }, _session, callback) =>
        callback(reply(address.startsWith('ann') ? ann : gone, `4.2.0 ${address}`)),
    });
    expect(await failureOf(sender(server).send(two, MESSAGE_ID))).toMatchObject({
      kind: 'deferred',
      blames,
      replies: [
        { recipient: 'ann@example.com', reply: `${ann} 4.2.0 ann@example.com` },
        { recipient: 'gone@example.com', reply: `${gone} 4.2.0 gone@example.com` },
      ],
    });
  });

  test('for now makes the mail wait if there is no other recipient', async () => {
    const server = await refusing(450, 'ann@example.com', 'gone@example.com');
    expect(await failureOf(sender(server).send(two, MESSAGE_ID))).toMatchObject({
      kind: 'deferred',
      blames: 'mailboxes',
      replies: ['ann', 'gone'].map((name) => ({
        recipient: `${name}@example.com`,
        reply: `450 5.1.1 <${name}@example.com>: User unknown`,
      })),
    });
  });
});

describe('a mail is refused permanently', () => {
  test('for its size, by a server that says so at MAIL FROM', async () => {
    const server = await start({
      onMailFrom: (_address, _session, callback) => callback(reply(552, '5.3.4 Message size exceeds fixed limit')),
    });
    expect(await failureOf(sender(server).send(mail(), MESSAGE_ID))).toMatchObject({
      kind: 'refused',
      blames: 'message',
    });
  });

  test("because of its sender, with the server's reply", async () => {
    const server = await start({
      onMailFrom: (_address, _session, callback) => callback(reply(550, '5.7.1 Sender denied')),
    });
    const error = await failureOf(sender(server).send(mail(), MESSAGE_ID));
    expect(error).toMatchObject({
      kind: 'refused',
      blames: 'sender',
      reason:
        'Customers Mail Cloud refused the sender address (550 5.7.1 Sender denied): change the attribute from, or let the account send as shop@example.com',
    });
  });

  test.each([
    '5.7.1 <shop@example.com>: Sender address rejected: not owned by user smtp-user',
    '5.1.8 Bad sender domain',
  ])('because of its sender, by a server that says so only for each recipient: %s', async (words) => {
    const server = await start({ onRcptTo: (_address, _session, callback) => callback(reply(553, words)) });
    expect(await failureOf(sender(server).send(mail(), MESSAGE_ID))).toMatchObject({
      kind: 'refused',
      blames: 'sender',
      reason: expect.stringContaining('change the attribute from'),
      replies: [],
    });
  });

  test.each(['onMailFrom', 'onRcptTo'] as const)('because the server asks for another sign-in: %s', async (event) => {
    const server = await start({
      [event]: (_address: object, _session: object, callback: (error: Error) => void) =>
        callback(reply(530, '5.7.0 Authentication required')),
    });
    expect(await failureOf(sender(server).send(mail(), MESSAGE_ID))).toMatchObject({
      kind: 'refused',
      blames: 'account',
    });
  });

  test("because of its size, with the server's reply", async () => {
    const server = await start({
      onData(stream, _session, callback) {
        stream.resume().on('end', () => callback(reply(552, '5.3.4 Message too big')));
      },
    });
    const error = await failureOf(sender(server).send(mail(), MESSAGE_ID));
    expect(error).toMatchObject({ kind: 'refused', reason: expect.stringContaining('552 5.3.4 Message too big') });
  });
});

describe('a mail is deferred', () => {
  const answeringData = (code: number, message: string) =>
    start({
      onData(stream, _session, callback) {
        stream.resume().on('end', () => callback(reply(code, message)));
      },
    });

  test.each([
    [421, '4.3.2 Closing'],
    [450, '4.2.1 Try again'],
    [451, '4.3.0 Local error'],
    [452, '4.3.1 No space'],
    [503, '5.5.1 Bad sequence'],
  ])('when the server answers %i', async (code, message) => {
    const error = await failureOf(sender(await answeringData(code, message)).send(mail(), MESSAGE_ID));
    expect(error).toMatchObject({
      kind: 'deferred',
      // RFC 5321, 4.2.3: 450 says "mailbox unavailable". The other codes concern the server.
      blames: code === 450 ? 'mailboxes' : 'provider',
      reason: `Customers Mail Cloud could not take the mail now (${code} ${message})`,
    });
  });

  test.each(['onMailFrom', 'onRcptTo'] as const)('when the server cannot check its sender now: %s', async (event) => {
    const server = await start({
      [event]: (_address: object, _session: object, callback: (error: Error) => void) =>
        callback(reply(450, '4.1.8 <shop@example.com>: Sender address rejected: Domain not found')),
    });
    expect(await failureOf(sender(server).send(mail(), MESSAGE_ID))).toMatchObject({
      kind: 'deferred',
      blames: 'sender',
      reason: expect.stringContaining('change the attribute from'),
      replies: [],
    });
  });

  test('when the server cannot be reached', async () => {
    const server = await start();
    server.close();
    const error = await failureOf(sender(server).send(mail(), MESSAGE_ID));
    expect(error).toMatchObject({ kind: 'deferred', reason: expect.stringContaining('ECONNREFUSED') });
  });

  test('when the host does not exist', async () => {
    const server = await start();
    const notFound = Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
    const asked = vi.fn((...args: unknown[]) => {
      const answer = args.at(-1);
      if (typeof answer === 'function') process.nextTick(answer, notFound);
    });
    // Keeps this machine's DNS servers out of the test.
    for (const ask of ['resolve4', 'resolve6'] as const) {
      vi.spyOn(dns.Resolver.prototype, ask).mockImplementation(asked);
    }
    vi.spyOn(dns, 'lookup').mockImplementation(asked);
    const error = await failureOf(sender(server, { host: 'smtp.invalid' }).send(mail(), MESSAGE_ID));
    expect(error.kind).toBe('deferred');
    expect(asked).toHaveBeenCalledWith('smtp.invalid', expect.anything());
  });

  test('when the connection ends in the middle of the mail', async () => {
    const server = await start({
      onData(stream, session) {
        stream.once('data', () => server.cut(session));
      },
    });
    const error = failureOf(sender(server).send(mail({ content: 'x'.repeat(100_000) }), MESSAGE_ID));
    expect(await error).toMatchObject({ kind: 'deferred' });
  });
});

describe('a handover has a time limit', () => {
  /** A server that answers each command slowly, but within the limit for one reply. */
  const slowly = () => {
    let closed = () => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const server = start({
      onRcptTo: (_address, _session, callback) => void setTimeout(callback, 100),
      onClose: () => closed(),
    });
    return { server, gone };
  };
  const to = Array.from({ length: 60 }, (_, n) => ({ email: `ann-${n}@example.com` }));

  test('that applies to all slow replies together', async () => {
    const { server, gone } = slowly();
    const error = await failureOf(sender(await server, { limitMs: 500 }).send(mail({ to }), MESSAGE_ID));
    expect(error).toMatchObject({
      kind: 'deferred',
      reason: 'Customers Mail Cloud could not take the mail now (it took too long)',
    });
    await gone;
    expect((await server).messages).toEqual([]);
  });

  test('and the mails beside it and after it are sent', async () => {
    const { server } = slowly();
    const one = sender(await server, { limitMs: 3_000 });
    const slow = failureOf(one.send(mail({ to }), '<slow@example.com>'));
    await one.send(mail(), '<beside@example.com>');
    expect(await slow).toMatchObject({ kind: 'deferred' });
    await one.send(mail(), '<after@example.com>');
    expect((await server).messages).toHaveLength(2);
  });
});

describe('the account is refused', () => {
  test("with the server's reply, and what to check", async () => {
    const error = await failureOf(sender(await start(), { password: 'wrong' }).send(mail(), MESSAGE_ID));
    expect(error).toMatchObject({ kind: 'refused', blames: 'account' });
    expect(error.reason).toBe(
      'Customers Mail Cloud refused the SMTP account (535 5.7.8 Authentication credentials invalid): check customersMailCloudSmtp of the sender secret',
    );
  });

  test('and the password is not in the error', async () => {
    const error = await failureOf(sender(await start(), { password: 'wrong-secret' }).send(mail(), MESSAGE_ID));
    expect(error.reason).not.toContain('wrong-secret');
  });

  test('for now, when the server cannot check it now', async () => {
    // RFC 4954, 6: 454 is a temporary authentication failure.
    const server = await start({
      onAuth: (_auth, _session, callback) => callback(reply(454, '4.7.0 Temporary failure')),
    });
    expect(await failureOf(sender(server).send(mail(), MESSAGE_ID))).toMatchObject({ kind: 'deferred' });
  });

  test('without a connection, when none is configured', async () => {
    const error = await failureOf(sender({ port: 1, close() {} }, { host: '' }).send(mail(), MESSAGE_ID));
    expect(error).toMatchObject({
      kind: 'refused',
      blames: 'account',
      reason: 'Cannot send: the sender secret has no SMTP account; put it into customersMailCloudSmtp',
    });
  });
});

describe('the password is never sent to a server that does not prove its identity', () => {
  const EHLO = '250-mail.example.com\r\n250 AUTH PLAIN LOGIN';
  const EHLO_STARTTLS = '250-mail.example.com\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN';
  /** The first bytes of a TLS handshake. */
  const CLIENT_HELLO = '\x16\x03';
  const UNPROVEN = /^The SMTP server did not prove its identity by TLS \(.*\): check host and port/;

  /** How a handover fails at a server that speaks no TLS. */
  async function failureAt(replies: Readonly<Record<string, string>>) {
    const server = open(await startScriptedServer({ AUTH: '235 2.7.0 OK', ...replies }));
    const error = await failureOf(sender(server).send(mail(), MESSAGE_ID));
    expect(server.heard()).not.toContain('AUTH');
    for (const secret of [ACCOUNT.password, ACCOUNT.user]) {
      expect(server.heard()).not.toContain(secret);
      expect(server.heard()).not.toContain(Buffer.from(secret).toString('base64').slice(0, 8));
    }
    return error;
  }

  test('because it offers no STARTTLS', async () => {
    const error = await failureAt({ EHLO, STARTTLS: '502 5.5.1 Not implemented' });
    expect(error).toMatchObject({ kind: 'refused', blames: 'account', reason: expect.stringMatching(UNPROVEN) });
  });

  test('because it refuses STARTTLS', async () => {
    const error = await failureAt({ EHLO: EHLO_STARTTLS, STARTTLS: '501 5.5.4 No' });
    expect(error).toMatchObject({ kind: 'refused', blames: 'account', reason: expect.stringMatching(UNPROVEN) });
  });

  test('because it does not start TLS after STARTTLS', async () => {
    await failureAt({ EHLO: EHLO_STARTTLS, STARTTLS: '220 Go ahead', [CLIENT_HELLO]: '250 no TLS at all' });
  });

  test('because no trusted authority signed its certificate', async () => {
    trust((await issueLocalCertificate()).ca);
    const server = await start();
    const error = await failureOf(sender(server).send(mail(), MESSAGE_ID));
    expect(server.logins()).toBe(0);
    expect(error.reason).toMatch(/certificate/);
    expect(error).toMatchObject({ kind: 'refused', blames: 'account', reason: expect.stringMatching(UNPROVEN) });
  });

  test('because its certificate is for another host', async () => {
    // Another name of 127.0.0.1 that is not in the certificate.
    const server = await start();
    const error = await failureOf(sender(server, { host: '127.1' }).send(mail(), MESSAGE_ID));
    expect(server.logins()).toBe(0);
    expect(error.reason).toMatch(/certificate/);
    expect(error).toMatchObject({ kind: 'refused', blames: 'account', reason: expect.stringMatching(UNPROVEN) });
  });

  test('and the mail waits if TLS is temporarily unavailable', async () => {
    // RFC 3207, 4: 454 is temporary.
    const error = await failureAt({
      EHLO: EHLO_STARTTLS,
      STARTTLS: '454 4.7.0 TLS not available due to temporary reason',
    });
    expect(error.kind).toBe('deferred');
  });

  test('and the mail waits if the connection ends during the handshake', async () => {
    const error = await failureAt({ EHLO: EHLO_STARTTLS, STARTTLS: '220 Go ahead', [CLIENT_HELLO]: 'end' });
    expect(error.kind).toBe('deferred');
  });
});
