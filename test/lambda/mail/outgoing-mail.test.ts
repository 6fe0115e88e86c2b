import { describe, expect, test } from 'vitest';
import { MAX_RECIPIENTS, outgoingMail, readItem } from '../../../lambda/mail/outgoing-mail.ts';
import { anyJson, holdsForAll } from './property.ts';

/** An item as a person types it into the Mail table. */
const item = (attributes: Record<string, unknown> = {}) => ({
  id: 'welcome-1',
  from: 'Shop <shop@example.com>',
  to: 'ann@example.com',
  subject: 'Hello',
  content: 'Hello Ann',
  ...attributes,
});

const addresses = (count: number, domain = 'example.com') =>
  Array.from({ length: count }, (_, i) => `user${i}@${domain}`);

describe('an item is read as a mail', () => {
  test('with only the required attributes', () => {
    expect(outgoingMail(item())).toEqual({
      id: 'welcome-1',
      provider: 'sendgrid',
      from: { email: 'shop@example.com', name: 'Shop' },
      to: [{ email: 'ann@example.com' }],
      cc: [],
      bcc: [],
      replyTo: [],
      subject: 'Hello',
      content: 'Hello Ann',
      html: '',
      headers: {},
      sendAnyway: false,
    });
  });

  test('with all attributes, in every form of address', () => {
    expect(
      outgoingMail(
        item({
          provider: 'customers-mail-cloud',
          from: '{"email":"shop@example.com","name":"Shop"}',
          to: '[{"email":"ann@example.com","name":"Ann"},{"email":"bob@example.com"}]',
          cc: [{ email: 'cc@example.com', name: 'Carl' }],
          bcc: 'Dora <bcc@example.com>, bcc2@example.com',
          replyTo: { email: 'reply@example.com' },
          html: '<p>Hello Ann</p>',
          headers: { 'X-Campaign': 'spring' },
        }),
      ),
    ).toEqual({
      id: 'welcome-1',
      provider: 'customers-mail-cloud',
      from: { email: 'shop@example.com', name: 'Shop' },
      to: [{ email: 'ann@example.com', name: 'Ann' }, { email: 'bob@example.com' }],
      cc: [{ email: 'cc@example.com', name: 'Carl' }],
      bcc: [{ email: 'bcc@example.com', name: 'Dora' }, { email: 'bcc2@example.com' }],
      replyTo: [{ email: 'reply@example.com' }],
      subject: 'Hello',
      content: 'Hello Ann',
      html: '<p>Hello Ann</p>',
      headers: { 'X-Campaign': 'spring' },
      sendAnyway: false,
    });
  });

  test('of HTML only', () => {
    expect(outgoingMail(item({ content: undefined, html: '<p>Hello</p>' }))).toMatchObject({
      content: '',
      html: '<p>Hello</p>',
    });
  });

  test.each([
    [2024, '2024'],
    [0, '0'],
    [true, 'true'],
    [12345678901234567890n, '12345678901234567890'],
  ])('whose subject and content were typed as %s', (typed, text) => {
    expect(outgoingMail(item({ subject: typed, content: typed }))).toMatchObject({ subject: text, content: text });
  });

  test.each([undefined, null, '', '  ', 'sendgrid', ' sendgrid '])(
    'for SendGrid if the provider is %j in the item',
    (provider) => {
      expect(outgoingMail(item({ provider })).provider).toBe('sendgrid');
    },
  );

  test.each([
    { status: 'sending', attempts: 3, messageId: '<1@example.com>', sentAt: 'x', nextAttemptAt: 'x', expiresAt: 1 },
    {
      campaign: 'spring',
      note: 'x',
      orderId: 'x',
      category: 'x',
      tags: ['x'],
      priority: 1,
      metadata: {},
      template: 'x',
    },
    { recipient: 'x', message: 'x', title: 'x', sender: 'x', file: 'x', batchId: 'x', deliveryTime: 'x', sentAt: 'x' },
    {
      to_do: 'x',
      textColor: 'x',
      bodyId: 'x',
      templateName: 'x',
      reply: 'x',
      ccy: 'JPY',
      subject_id: 'x',
      'X-Trace': 1,
    },
  ])("with attributes that are the user's own: %j", (own) => {
    expect(outgoingMail(item(own))).toEqual(outgoingMail(item()));
  });

  test.each([undefined, null, '', [], {}])('with an empty attribute: %j', (empty) => {
    expect(outgoingMail(item({ attachments: empty, Bcc: empty }))).toEqual(outgoingMail(item()));
  });

  test(`to ${MAX_RECIPIENTS} recipients`, () => {
    expect(outgoingMail(item({ to: addresses(1_000) })).to).toHaveLength(1_000);
    const { to, cc, bcc } = outgoingMail(
      item({ to: addresses(998), cc: 'cc@example.com', bcc: [{ email: 'bcc@example.com' }] }),
    );
    expect(to.length + cc.length + bcc.length).toBe(1_000);
  });
});

describe('a recipient gets one copy', () => {
  test('if it is listed twice', () => {
    const mail = outgoingMail(
      item({
        to: 'Ann <ann@example.com>, bob@example.com, Annie <ann@example.com>, ANN@Example.com',
        cc: 'bob@example.com, carl@example.com',
        bcc: 'carl@example.com, ann@example.com, dora@example.com',
      }),
    );
    expect(mail.to).toEqual([{ email: 'ann@example.com', name: 'Ann' }, { email: 'bob@example.com' }]);
    expect(mail.cc).toEqual([{ email: 'carl@example.com' }]);
    expect(mail.bcc).toEqual([{ email: 'dora@example.com' }]);
  });

  test('even if its address is written in two forms', () => {
    const to = ['"ab..cde"@docomo.ne.jp', '佐藤 <ab..cde@docomo.ne.jp>', 'taro@例え.jp', 'taro@xn--r8jz45g.jp'];
    expect(outgoingMail(item({ to })).to).toEqual([{ email: 'ab..cde@docomo.ne.jp' }, { email: 'taro@例え.jp' }]);
  });

  test('and counts once', () => {
    expect(outgoingMail(item({ to: [...addresses(1_000), ...addresses(1_000)], cc: addresses(500) })).to).toHaveLength(
      1_000,
    );
  });
});

describe('an attribute that another mail tool would accept is named in the error, with what to do', () => {
  test.each([
    ['reply_to', 'write replyTo, not reply_to'],
    ['Reply-To', 'write replyTo, not Reply-To'],
    ['ReplyTo', 'write replyTo, not ReplyTo'],
    ['replyto', 'write replyTo, not replyto'],
    ['BCC', 'write bcc, not BCC'],
    ['Subject', 'write subject, not Subject'],
    ['text', 'write content, not text'],
    ['body', 'write content, not body'],
    ['htmlContent', 'write html, not htmlContent'],
    ['HTML Body', 'write html, not HTML Body'],
    ['bcc_addresses', 'write bcc, not bcc_addresses'],
    ['fromName', 'write from, not fromName'],
    ['List-Unsubscribe', 'put List-Unsubscribe into headers'],
    ['attachments', 'Todoke does not send attachments: remove the attribute attachments'],
    ['Attachment', 'Todoke does not send attachments: remove the attribute Attachment'],
    ['templateId', 'Todoke does not fill in templates: remove the attribute templateId'],
    ['template_id', 'Todoke does not fill in templates: remove the attribute template_id'],
    ['sendAt', 'Todoke does not schedule mail: remove the attribute sendAt'],
    ['send_at', 'Todoke does not schedule mail: remove the attribute send_at'],
    ['scheduled-at', 'Todoke does not schedule mail: remove the attribute scheduled-at'],
    ['categories', 'Todoke does not set categories: remove the attribute categories'],
    ['custom_args', 'Todoke does not set custom arguments: remove the attribute custom_args'],
    ['customArgs', 'Todoke does not set custom arguments: remove the attribute customArgs'],
  ])('%s', (name, advice) => {
    expect(() => outgoingMail({ ...item(), [name]: 'x' })).toThrow(new Error(`Cannot send: ${advice}`));
  });

  test.each(['provider', 'from', 'to', 'cc', 'bcc', 'replyTo', 'subject', 'content', 'html', 'headers'])(
    '%s in upper case',
    (name) => {
      const written = name.toUpperCase();
      expect(() => outgoingMail({ ...item(), [written]: 'x' })).toThrow(`Cannot send: write ${name}, not ${written}`);
    },
  );
});

describe('each mistake names its attribute and its kind', () => {
  const mistakesOf = (attributes: Record<string, unknown>) => {
    const read = readItem(item(attributes));
    return 'problems' in read ? read.problems.map(({ attribute, kind }) => `${attribute} ${kind}`) : [];
  };

  test.each<[Record<string, unknown>, string[]]>([
    [{ BCC: 'x' }, ['BCC attribute']],
    [{ provider: 1 }, ['provider notText']],
    [{ provider: 'mailgun' }, ['provider unknown']],
    [{ from: 'a@example.com, b@example.com' }, ['from oneAddress']],
    [{ from: '' }, ['from missing']],
    [{ from: 'shop' }, ['from notAddress']],
    [{ to: '' }, ['to missing']],
    [{ to: 'ann' }, ['to notAddress']],
    [{ to: Array(7).fill('ann') }, Array(6).fill('to notAddress')],
    [{ subject: ' ' }, ['subject missing']],
    [{ subject: [] }, ['subject notText']],
    [{ content: '' }, ['content missing']],
    [{ content: '', html: [] }, ['html notText']],
    [{ content: [], html: '' }, ['content notText']],
    [{ headers: { 'X-A': 'a\nb' } }, ['headers header']],
    [{ sendAnyway: 'yes' }, ['sendAnyway attribute']],
  ])('%j', (attributes, mistakes) => {
    expect(mistakesOf(attributes)).toEqual(mistakes);
  });

  test('too many recipients', () => {
    expect(mistakesOf({ to: addresses(1_001) })).toEqual(['to tooMany']);
  });
});

describe('sendAnyway', () => {
  test.each([
    [true, true],
    ['true', true],
    [false, false],
    ['false', false],
    ['', false],
    [null, false],
    [undefined, false],
  ])('may be %j', (sendAnyway, expected) => {
    expect(outgoingMail(item({ sendAnyway })).sendAnyway).toBe(expected);
  });

  test.each(['yes', 'True', 1, 0, ['true']])('may not be %j', (sendAnyway) => {
    expect(() => outgoingMail(item({ sendAnyway }))).toThrow(
      new Error('Cannot send: sendAnyway must be true or false'),
    );
  });
});

describe('the error of a bad item says in one sentence what to correct', () => {
  test('and lists all its mistakes', () => {
    const bad = {
      id: 'bad',
      provider: 'mailgun',
      from: 'a@example.com, b@example.com',
      to: 'ann, bob@example.com, carl',
      cc: '@',
      reply_to: 'x',
      attachments: ['x'],
      headers: { Subject: 'x', 'X-A': 'a\nb' },
    };
    expect(() => outgoingMail(bad)).toThrow(
      new Error(
        [
          'Cannot send: write replyTo, not reply_to',
          'Todoke does not send attachments: remove the attribute attachments',
          'provider is "mailgun", it must be sendgrid or customers-mail-cloud',
          'from has 2 addresses, it must have one',
          'to: cannot use "ann": it is not an e-mail address',
          'to: cannot use "carl": it is not an e-mail address',
          'cc: cannot use "@": it is not an e-mail address',
          'subject is missing',
          'content (or html) is missing',
          'headers: Subject has an attribute of its own: use subject',
          'headers: X-A has a line break, or another control character',
        ].join('; '),
      ),
    );
  });

  test('and lists the first five of many bad addresses', () => {
    const bad = Array.from({ length: 20 }, (_, index) => `bad${index}`);
    expect(() => outgoingMail(item({ to: [...bad, 'ann@example.com'] }))).toThrow(
      /bad3".*bad4".*; to: cannot use 15 of the other addresses$/,
    );
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['no recipient', { to: undefined }, 'Cannot send: to has no recipient'],
    ['an empty recipient', { to: ' ' }, 'Cannot send: to has no recipient'],
    ['an empty list of recipients', { to: [] }, 'Cannot send: to has no recipient'],
    ['copies only', { to: '', cc: 'cc@example.com' }, 'Cannot send: to has no recipient'],
    ['an invalid recipient', { to: 'ann' }, 'Cannot send: to: cannot use "ann": it is not an e-mail address'],
    [
      'an invisible character in a recipient',
      { to: 'ann\u200b@example.com' },
      'Cannot send: to: cannot use "ann<U+200B>@example.com": it has an invisible character, U+200B; type the address again',
    ],
    [
      'one invalid recipient among others',
      { to: [...addresses(3), 'ann@@example.com'] },
      'Cannot send: to: cannot use "ann@@example.com": it is not an e-mail address',
    ],
    ['an invalid copy', { cc: 'carl' }, 'Cannot send: cc: cannot use "carl": it is not an e-mail address'],
    [
      'an invalid blind copy',
      { bcc: 'b c@d.e' },
      'Cannot send: bcc: cannot use "b c@d.e": it is not an e-mail address',
    ],
    ['an invalid reply address', { replyTo: '@' }, 'Cannot send: replyTo: cannot use "@": it is not an e-mail address'],
    [
      'half a JSON text',
      { to: '[{"email":' },
      'Cannot send: to: cannot read "[{\\"email\\":" as an address: it starts like JSON, but is not valid JSON',
    ],
    ['a number as recipient', { to: 7 }, 'Cannot send: to: cannot read "7" as an address: it has no email'],
    [
      '1,001 recipients',
      { to: addresses(1_001) },
      'Cannot send: it has 1001 recipients, at most 1000 are allowed; split it into several items',
    ],
    [
      '1,001 recipients with the copies',
      { to: addresses(999), cc: 'cc@example.com', bcc: 'bcc@example.com' },
      'Cannot send: it has 1001 recipients, at most 1000 are allowed; split it into several items',
    ],
    ['no content', { content: undefined }, 'Cannot send: content (or html) is missing'],
    ['empty content', { content: '', html: '' }, 'Cannot send: content (or html) is missing'],
    ['content of spaces', { content: ' \n', html: ' ' }, 'Cannot send: content (or html) is missing'],
    ['no subject', { subject: undefined }, 'Cannot send: subject is missing'],
    ['a subject of null', { subject: null }, 'Cannot send: subject is missing'],
    ['a subject of spaces', { subject: '  ' }, 'Cannot send: subject is missing'],
    ['a list as subject', { subject: ['Hello'] }, 'Cannot send: subject is not text'],
    ['maps as contents', { content: {}, html: {} }, 'Cannot send: content is not text; html is not text'],
    [
      'an unknown provider',
      { provider: 'mailgun' },
      'Cannot send: provider is "mailgun", it must be sendgrid or customers-mail-cloud',
    ],
    [
      'a provider that means something to JavaScript',
      { provider: 'constructor' },
      'Cannot send: provider is "constructor", it must be sendgrid or customers-mail-cloud',
    ],
    ['a number as provider', { provider: 1 }, 'Cannot send: provider is not text'],
    ['no sender', { from: undefined }, 'Cannot send: from is missing'],
    ['an invalid sender', { from: 'shop' }, 'Cannot send: from: cannot use "shop": it is not an e-mail address'],
    [
      'several senders',
      { from: 'a@example.com, b@example.com' },
      'Cannot send: from has 2 addresses, it must have one',
    ],
  ])('%s', (_, attributes, message) => {
    expect(() => outgoingMail(item(attributes))).toThrow(new Error(message));
  });

  test('and shows only the start of a long provider', () => {
    expect(() => outgoingMail(item({ provider: 'x'.repeat(200) }))).toThrow(`provider is "${'x'.repeat(80)}", it must`);
  });

  test('and names five bad addresses without a word about others', () => {
    const bad = Array.from({ length: 5 }, (_, index) => `bad${index}`);
    expect(() => outgoingMail(item({ to: bad }))).toThrow(/bad4": it is not an e-mail address$/);
  });

  test('for any attributes', () => {
    const names = ['provider', 'from', 'to', 'cc', 'bcc', 'replyTo', 'subject', 'content', 'html', 'headers', 'BCC'];
    holdsForAll(anyJson, (value) => {
      for (const name of names) {
        try {
          outgoingMail(item({ [name]: value }));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect(String(error)).toMatch(/^Error: Cannot send: /);
          expect(String(error)).not.toContain('\n');
        }
      }
    });
  });
});
