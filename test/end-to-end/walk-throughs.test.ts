import { afterAll, describe, expect, test } from 'vitest';
import { runOn } from './command.ts';
import { type PublishedEvent, runningStack, until } from './running-stack.ts';

const stack = runningStack();

const shop = { from: '{"email":"shop@example.com","name":"さくら商店"}', subject: 'ご注文の確認', content: '本文' };
const taro = '{"email":"taro@example.jp","name":"山田太郎"}';

describe.each([
  { provider: 'sendgrid', failures: [['bounced', 'bounce']] },
  {
    provider: 'customers-mail-cloud',
    failures: [
      ['failed', 'failed'],
      ['bounced', 'bounced'],
    ],
  },
])('$provider', ({ provider, failures }) => {
  const address = `bounce+${provider}@example.jp`;
  const hanako = `{"email":"${address}","name":"鈴木花子"}`;

  test('(a) a mail to an existing address is sent, logged and delivered, and there is no Bounce row', async () => {
    const id = `${provider}-a`;
    await stack().insert({ id, provider, ...shop, to: taro });

    const mail = await stack().settled(id);
    expect(mail).toMatchObject({
      status: 'sent',
      attempts: 1,
      messageId: expect.any(String),
      sentAt: expect.any(String),
    });
    const messageId = String(mail['messageId']);
    await stack().event(messageId, 'delivered');

    const [logged, ...events] = (await stack().story(messageId)).toReversed();
    expect(logged).toMatchObject({
      entry: 'mail',
      provider,
      mailId: id,
      from: shop.from,
      to: `[${taro}]`,
      subject: shop.subject,
      day: expect.stringMatching(/^\d{4}-\d\d-\d\d#[0-7]$/),
    });
    expect(events.map((row) => row['state']).toSorted()).toEqual(['delivered', 'queued']);
    await settle();
    expect(await stack().bounces(messageId)).toEqual([]);
  });

  test('(b) an item to an address that does not exist gets a joined bounce; another one, edited to that address, is not sent and says why, until the address is allowed', async () => {
    await stack().insert({ id: `${provider}-b`, provider, ...shop, to: hanako });
    await expectBounceOf(`${provider}-b`);

    const id = `${provider}-edited`;
    await stack().insert({ id, provider, ...shop, to: taro });
    const first = await stack().settled(id);
    await stack().event(String(first['messageId']), 'delivered');

    await stack().edit(id, 'SET #to = :to REMOVE #status', { '#to': 'to', '#status': 'status' }, { ':to': hanako });
    const refused = await until('the item to be refused', async () => {
      const mail = await stack().settled(id);
      return mail['status'] === 'failed' ? mail : undefined;
    });
    expect(refused['error']).toMatch(
      /^Cannot send: every recipient is suppressed: bounce\+.* is suppressed since .* by a hard bounce: 550 5\.1\.1 .*set sendAnyway to true; .*npm run suppressions -- remove bounce\+/,
    );
    expect(await stack().bounces(String(refused['messageId']))).toMatchObject([
      { outcome: 'dropped', type: 'suppressed', toEmail: address, toName: '鈴木花子', mailId: id, matched: true },
    ]);
    expect(await stack().story(String(refused['messageId']))).toMatchObject([{ state: 'dropped', recipient: address }]);
    const published = await until('its event', async () => {
      const events = await stack().published();
      return events.find(({ detail }) => detail['messageId'] === refused['messageId']);
    });
    expect(published).toMatchObject({
      'detail-type': 'Mail Dropped',
      source: 'todoke',
      detail: { type: 'suppressed', toEmail: address, mailId: id },
    });
    const found = JSON.parse(await runOn(stack().local.outputsFile, 'find', address, '--json'));
    expect(found).toMatchObject({ recipient: { suppressed: { by: 'bounce', since: expect.any(String) } } });
    // Times of stream records are whole seconds, so either mail may be the newer one.
    expect(found.mails).toHaveLength(2);
    expect(found.mails).toContainEqual(
      expect.objectContaining({
        mailId: id,
        from: 'shop@example.com',
        recipients: [expect.objectContaining({ state: 'dropped' })],
      }),
    );
    expect(found.mails).toContainEqual(expect.objectContaining({ mailId: `${provider}-b` }));

    await runOn(stack().local.outputsFile, 'suppressions', 'remove', address);
    await stack().edit(id, 'REMOVE #status', { '#status': 'status' });
    await until('another message id', async () => {
      const mail = await stack().settled(id);
      return mail['status'] === 'sent' || undefined;
    });
    await expectBounceOf(id);
    expect(await stack().bounces(String(first['messageId']))).toEqual([]);
  });

  /** Expects exactly the failure's rows, with the right recipient and that recipient's name. */
  async function expectBounceOf(id: string): Promise<void> {
    const messageId = String((await stack().settled(id))['messageId']);
    await stack().event(messageId, 'bounced');
    await settle();
    const logRows = (await stack().story(messageId)).filter((row) => row['entry'] === 'mail');
    expect(logRows).toHaveLength(1);
    // An event can arrive before its log row. Then the late join completes the row a moment later.
    const rows = await until('every Bounce row to be joined', async () => {
      const found = await stack().bounces(messageId);
      return found.length > 0 && found.every((row) => row['matched']) ? found : undefined;
    });
    expect(rows.map((row) => [row['outcome'], row['event']]).toSorted()).toEqual(failures.toSorted());
    const ofMail = ({ detail }: PublishedEvent) => detail['messageId'] === messageId && detail['matched'] === true;
    await until('an event for each of them', async () => {
      const published = (await stack().published()).filter(ofMail).map(({ detail: { outcome } }) => String(outcome));
      return failures.every(([outcome]) => outcome !== undefined && published.includes(outcome)) || undefined;
    });
    for (const row of rows) {
      expect(row).toMatchObject({
        matched: true,
        mailId: id,
        toEmail: address,
        toName: '鈴木花子',
        fromEmail: 'shop@example.com',
        fromName: 'さくら商店',
        subject: shop.subject,
        bounceClass: 'hard',
        smtpCode: '550',
        enhancedStatusCode: '5.1.1',
        provider,
      });
    }
  }

  /** Waits until everything that the simulated provider reports is recorded. */
  async function settle(): Promise<void> {
    const { sendGrid, customersMailCloud } = stack().local.providers;
    await (provider === 'sendgrid' ? sendGrid : customersMailCloud).idle();
    await stack().recorded();
  }
});

test.each([
  ['blocked', 'bounced', 'soft'],
  ['dropped', 'dropped', 'hard'],
  ['complaint', 'complained', 'undetermined'],
])('SendGrid, to %s@: %s', async (localPart, outcome, bounceClass) => {
  await stack().insert({ id: localPart, ...shop, to: `${localPart}@example.jp` });
  const messageId = String((await stack().settled(localPart))['messageId']);
  await stack().event(messageId, outcome);
  const rows = await until('the joined row', async () => {
    const found = await stack().bounces(messageId);
    return found.every((row) => row['matched']) && found.length > 0 ? found : undefined;
  });
  expect(rows).toMatchObject([{ outcome, bounceClass, toEmail: `${localPart}@example.jp` }]);
});

test('SendGrid, to deferred@: the story has both events, and there is no Bounce row', async () => {
  await stack().insert({ id: 'deferred', ...shop, to: 'deferred@example.jp' });
  const messageId = String((await stack().settled('deferred'))['messageId']);
  await stack().event(messageId, 'deferred');
  await stack().event(messageId, 'delivered');
  await stack().local.providers.sendGrid.idle();
  await stack().recorded();
  expect(await stack().bounces(messageId)).toEqual([]);
});

// No step reported a failure or a refusal.
afterAll(() => {
  expect(stack().local.providers.customersMailCloud.lost()).toBe(0);
  expect(stack().reported.filter((line) => /refused|answered|failed|Cannot/.test(line))).toEqual([]);
});
