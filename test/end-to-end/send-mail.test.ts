import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { whenFinished } from '../temporary.ts';
import { runningStack, until } from './running-stack.ts';

const stack = runningStack();
const letter = { from: 'shop@example.com', subject: 'Hello', content: 'Are you there?' };

describe('mail is sent to every form of address, and logged with the addresses as JSON', () => {
  test.each([
    ['plain', 'taro@example.jp', [{ email: 'taro@example.jp' }]],
    ['with a name', '山田太郎 <taro@example.jp>', [{ email: 'taro@example.jp', name: '山田太郎' }]],
    [
      'several, with commas',
      'a@example.jp, "B, C" <b@example.jp>',
      [{ email: 'a@example.jp' }, { email: 'b@example.jp', name: 'B, C' }],
    ],
    ['JSON object', '{"email":"taro@example.jp","name":"山田太郎"}', [{ email: 'taro@example.jp', name: '山田太郎' }]],
    [
      'JSON array',
      '[{"email":"a@example.jp"},{"email":"b@example.jp","name":"B"}]',
      [{ email: 'a@example.jp' }, { email: 'b@example.jp', name: 'B' }],
    ],
    ['map', { email: 'taro@example.jp', name: 'T' }, [{ email: 'taro@example.jp', name: 'T' }]],
    [
      'list of maps',
      [{ email: 'a@example.jp' }, { email: 'b@example.jp' }],
      [{ email: 'a@example.jp' }, { email: 'b@example.jp' }],
    ],
    ['string set', new Set(['a@example.jp']), [{ email: 'a@example.jp' }]],
  ])('%s', async (form, to, logged) => {
    const id = `form ${form}`;
    await stack().insert({ id, ...letter, to });
    const mail = await stack().settled(id);
    expect(mail).toMatchObject({ status: 'sent' });
    const [row] = (await stack().story(String(mail['messageId']))).filter(({ entry }) => entry === 'mail');
    expect(JSON.parse(String(row?.['to']))).toEqual(logged);
  });

  test.each(['sendgrid', 'customers-mail-cloud'])('cc, bcc, replyTo and html, by %s', async (provider) => {
    const id = `all fields by ${provider}`;
    await stack().insert({
      id,
      provider,
      ...letter,
      to: 'a@example.jp',
      cc: 'b@example.jp',
      bcc: ['c@example.jp', 'a@example.jp'],
      replyTo: 'desk@example.com',
      html: '<p>Hello</p>',
    });
    const mail = await stack().settled(id);
    expect(mail).toMatchObject({ status: 'sent' });
    const messageId = String(mail['messageId']);
    await stack().event(messageId, 'delivered');
    const { sendGrid, customersMailCloud } = stack().local.providers;
    await (provider === 'sendgrid' ? sendGrid : customersMailCloud).idle();
    await stack().recorded();
    const story = await stack().story(messageId);
    const delivered = story.filter(({ state }) => state === 'delivered').map(({ recipient }) => recipient);
    expect(delivered.toSorted()).toEqual(['a@example.jp', 'b@example.jp', 'c@example.jp']);
    expect(story.find(({ entry }) => entry === 'mail')).toMatchObject({
      cc: '[{"email":"b@example.jp"}]',
      bcc: '[{"email":"c@example.jp"}]',
    });
  });
});

describe('a bad item fails once, with an error that says what to do, and the items behind it are sent', () => {
  test.each([
    ['no recipient', { ...letter }, 'Cannot send: to has no recipient'],
    [
      'an invalid address',
      { ...letter, to: 'nobody' },
      'Cannot send: to: cannot use "nobody": it is not an e-mail address',
    ],
    [
      '1,001 recipients',
      { ...letter, to: Array.from({ length: 1001 }, (_, i) => ({ email: `u${i}@example.jp` })) },
      'it has 1001 recipients, at most 1000 are allowed',
    ],
    [
      'no content',
      { from: letter.from, subject: 'x', to: 'a@example.jp' },
      'Cannot send: content (or html) is missing',
    ],
    ['no sender', { subject: 'x', content: 'x', to: 'a@example.jp' }, 'Cannot send: from is missing'],
    [
      'an unknown provider',
      { ...letter, provider: 'pigeon', to: 'a@example.jp' },
      'provider is "pigeon", it must be sendgrid or customers-mail-cloud',
    ],
  ])('%s', async (name, item, words) => {
    await stack().insert({ id: `bad: ${name}`, ...item });
    await stack().insert({ id: `behind: ${name}`, ...letter, to: 'a@example.jp' });
    const bad = await stack().settled(`bad: ${name}`);
    expect(bad).toMatchObject({ status: 'failed', attempts: 1, error: expect.stringContaining(words) });
    expect(bad['error']).toMatch(/To send it again, fix this and delete the attribute status$/);
    expect(bad).not.toHaveProperty('sendingUntil');
    expect(await stack().settled(`behind: ${name}`)).toMatchObject({ status: 'sent' });
    expect(await stack().mail(`bad: ${name}`)).toEqual(bad);
  });

  test('it is sent after it was corrected and its status deleted', async () => {
    await stack().insert({ id: 'mended', ...letter, to: 'nobody' });
    await stack().settled('mended');
    await stack().edit(
      'mended',
      'SET #to = :to REMOVE #status',
      { '#to': 'to', '#status': 'status' },
      { ':to': 'taro@example.jp' },
    );
    const mail = await stack().settled('mended');
    expect(mail).toMatchObject({ status: 'sent', attempts: 1 });
    expect(mail).not.toHaveProperty('error');
  });

  test.each(['', null])('it is also sent after its status was emptied to %j', async (empty) => {
    const id = `emptied-to-${empty}`;
    await stack().insert({ id, ...letter, to: 'taro@example.jp', status: 'failed', error: 'of last time' });
    await stack().edit(id, 'SET #status = :empty', { '#status': 'status' }, { ':empty': empty });
    expect(await stack().settled(id)).toMatchObject({ status: 'sent', attempts: 1 });
  });
});

test("a mail that SendGrid refuses fails, with SendGrid's message", async () => {
  // SendGrid accepts only ASCII in local parts. Otherwise the address is valid (RFC 6531).
  await stack().insert({ id: 'refused', ...letter, to: '太郎@example.jp' });
  const mail = await stack().settled('refused');
  expect(mail).toMatchObject({
    status: 'failed',
    attempts: 1,
    error: expect.stringMatching(
      /^SendGrid refused the mail \(400: personalizations\.0\.to\.0\.email: Does not contain a valid address\.\)\. To send it again/,
    ),
  });
});

test.each(['sendgrid', 'customers-mail-cloud'])(
  '%s: mail to an old address of a Japanese carrier and to a Japanese domain is sent and can be found',
  async (provider) => {
    const to = ['花子　佐藤 <"bounce+..a."@docomo.ne.jp>', '太郎 <bounce@例え.jp>'];
    await stack().insert({ id: `carrier ${provider}`, provider, ...letter, to, sendAnyway: true });
    const messageId = String((await stack().settled(`carrier ${provider}`))['messageId']);
    await stack().event(messageId, 'bounced');
    const joined = await until('the joined rows', async () => {
      const rows = (await stack().bounces(messageId)).filter(({ matched }) => matched);
      const names = new Map(rows.map(({ toEmail, toName }) => [toEmail, toName]));
      return names.size === 2 ? names : undefined;
    });
    expect(joined).toEqual(
      new Map([
        ['bounce+..a.@docomo.ne.jp', '花子　佐藤'],
        ['bounce@xn--r8jz45g.jp', '太郎'],
      ]),
    );
  },
);

test('an edit that does not change the status sends nothing', async () => {
  await stack().insert({ id: 'edited', ...letter, to: 'a@example.jp' });
  const sent = await stack().settled('edited');
  await stack().edit('edited', 'SET #subject = :subject', { '#subject': 'subject' }, { ':subject': 'Changed' });
  // The stream is in order, so the edit was seen before this item is sent.
  await stack().insert({ id: 'after the edit', ...letter, to: 'a@example.jp' });
  await stack().settled('after the edit');
  expect(await stack().mail('edited')).toEqual({ ...sent, subject: 'Changed' });
});

describe('items of the maximum size', () => {
  const LIMIT = 400 * 1024;
  /** An item of the maximum size (names included) minus `room` bytes. */
  const full = (id: string, room: number) => {
    const item = { id, ...letter, to: 'a@example.jp', html: '' };
    const used = Object.entries(item).reduce((bytes, [name, value]) => bytes + name.length + value.length, 0);
    return { ...item, html: 'x'.repeat(LIMIT - used - room) };
  };

  test('an item without room for a status delays no other item', async () => {
    await stack().insert(full('no room', 5));
    await stack().insert({ id: 'behind no room', ...letter, to: 'a@example.jp' });
    expect(await stack().settled('behind no room')).toMatchObject({ status: 'sent' });
    expect(await stack().mail('no room')).not.toHaveProperty('status');
  });

  test('an item with room for a status but not for a message id is sent once', async () => {
    // The exact size limit depends on how storage counts an update, so the test makes storage refuse a message id.
    const { storage } = stack();
    const refused = vi.fn();
    storage.plan = ({ action, body }) => {
      if (action !== 'UpdateItem' || !String(body['UpdateExpression']).includes('#messageId = ')) return undefined;
      refused();
      return 'refused item';
    };
    whenFinished(() => {
      storage.plan = () => undefined;
    });
    await stack().insert({ id: 'little room', ...letter, to: 'a@example.jp' });
    const mail = await stack().settled('little room');
    expect(refused).toHaveBeenCalledOnce();
    expect(mail).toMatchObject({ status: 'sent', attempts: 1 });
    expect(mail).not.toHaveProperty('sendingUntil');
    expect(mail).not.toHaveProperty('messageId');
  });
});

describe('if its secret is unreadable, a mail says why it was not sent', () => {
  const broken = runningStack();

  test('a secret that is not JSON', async () => {
    await writeFile(join(broken().dir, 'sender-secret.json'), '{"sendgridApiKey": "SG.secret"');
    for (const provider of ['sendgrid', 'customers-mail-cloud']) {
      await broken().insert({ id: provider, provider, ...letter, to: 'a@example.jp' });
      expect(await broken().settled(provider)).toMatchObject({
        status: 'failed',
        error:
          'Cannot send: the sender secret cannot be read: its value is not JSON. To send it again, fix this and delete the attribute status',
      });
    }
  });
});
