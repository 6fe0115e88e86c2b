import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  API_KEY,
  BASIC,
  BEARER_TOKEN,
  type CustomersMailCloudPayload,
  post,
  runningStack,
  until,
} from './running-stack.ts';

const stack = runningStack();
const accepted = (received: number) => ({ status: 200, body: { received } });

const bounce = (messageId: string, change: object = {}) => ({
  email: 'Bounce@Example.jp',
  timestamp: Math.floor(Date.now() / 1000),
  event: 'bounce',
  type: 'bounce',
  status: '5.1.1',
  reason: '550 5.1.1 no such user',
  sg_event_id: `event-of-${messageId}`,
  sg_message_id: `${messageId}.recvd-5b6594c664-csn64-1-65A9F4D1-A.0`,
  ...change,
});

const logRow = (messageId: string) => ({
  messageId,
  entry: 'mail',
  from: '{"email":"shop@example.com","name":"さくら商店"}',
  to: '鈴木花子 <bounce@example.jp>',
  subject: 'ご注文の確認',
});

describe("SendGrid's webhook", () => {
  test('answers with the number of events, and records each by its kind', async () => {
    const id = 'counts';
    await expect(
      stack().postSendGrid([
        bounce(id),
        bounce(id, { event: 'processed', sg_event_id: 'p' }),
        bounce(id, { event: 'delivered', sg_event_id: 'd' }),
        bounce(id, { event: 'open', sg_event_id: 'o' }),
        bounce(id, { event: 'account_status_change', sg_event_id: 'a' }),
        'not an event',
      ]),
    ).resolves.toEqual(accepted(6));
    await stack().recorded();
    const outcomes = (await stack().bounces(id)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['bounced']);
    expect((await stack().story(id)).map(({ state }) => state).toSorted()).toEqual(['bounced', 'delivered', 'queued']);
    const unrecognized = (await stack().allBounces()).filter(({ outcome }) => outcome === 'unrecognized');
    expect(unrecognized.map(({ rawEvent }) => JSON.parse(String(rawEvent)))).toEqual(
      expect.arrayContaining(['not an event', expect.objectContaining({ event: 'account_status_change' })]),
    );
    expect(unrecognized).toHaveLength(2);
  });

  test("verifies the bytes as sent, with SendGrid's line ends, escapes and spaces", async () => {
    const body = `[${JSON.stringify(bounce('raw')).replaceAll('@', '\\u0040')},\r\n ${JSON.stringify(bounce('raw', { reason: '550 5.1.1 gone', 'smtp-id': '\\u003ca\\u003e' }))}]\r\n`;
    await expect(stack().postSendGrid(undefined, { body })).resolves.toEqual(accepted(2));
    await stack().recorded();
    expect(await stack().bounces('raw')).toMatchObject([{ outcome: 'bounced' }, { outcome: 'bounced' }]);
  });

  test.each([
    ['not JSON', { body: '[{' }, 400, /it is not JSON/],
    ['no array', { body: '{}' }, 400, /it is not an array of events/],
    ['10,001 events', { body: `[${'1,'.repeat(10_000)}1]` }, 413, /at most 10000/],
    ['another content type', { body: '[]', headers: { 'content-type': 'text/plain' } }, 415, /not application\/json/],
    ['another method', { body: '[]', method: 'PUT' }, 405, /takes only POST/],
  ])('%s is refused', async (_, change, status, words) => {
    await expect(stack().postSendGrid(undefined, change)).resolves.toEqual({
      status,
      body: { error: expect.stringMatching(words) },
    });
  });

  test('API Gateway itself answers a request to another path', async () => {
    const url = new URL('/v1/guessed', stack().local.outputs['SendGridWebhookUrl']);
    await expect(post(url.href, '[]')).resolves.toMatchObject({ status: 403 });
  });

  test('API Gateway itself answers a post that is too large for Lambda', async () => {
    const answer = await stack().postSendGrid(undefined, { body: `["${'x'.repeat(5 * 1024 * 1024)}"]` });
    expect(answer.status).toBe(413);
  });

  test('an empty list is accepted', async () => {
    await expect(stack().postSendGrid([])).resolves.toEqual(accepted(0));
  });

  test('a failure that comes before its log row is recorded as unmatched, and joined when its mail is logged', async () => {
    await stack().postSendGrid([bounce('early')]);
    await stack().recorded();
    expect(await stack().bounces('early')).toMatchObject([{ matched: false, toEmail: 'bounce@example.jp' }]);

    await stack().log(logRow('early'));
    const [row] = await until('the late join', async () => {
      const rows = await stack().bounces('early');
      return rows[0]?.['matched'] ? rows : undefined;
    });
    expect(row).toMatchObject({
      toName: '鈴木花子',
      fromEmail: 'shop@example.com',
      fromName: 'さくら商店',
      subject: 'ご注文の確認',
    });
    const log = await until('the log row to be completed', async () =>
      (await stack().story('early')).find(({ entry, sentAt }) => entry === 'mail' && sentAt),
    );
    expect(log).toMatchObject({
      sentAt: expect.stringMatching(/Z$/),
      expiresAt: expect.any(Number),
      day: expect.stringMatching(/#[0-7]$/),
    });
  });

  test('a log row without room for more attributes is still joined, and delays no log row behind it', async () => {
    await stack().postSendGrid([bounce('full'), bounce('behind')]);
    await stack().recorded();
    // DynamoDB allows 400 KB of names and values. No room is left for day, sentAt and expiresAt.
    const taken = Buffer.byteLength(
      Object.entries({ ...logRow('full'), filling: '' })
        .flat()
        .join(''),
    );
    await stack().log({ ...logRow('full'), filling: 'x'.repeat(400 * 1024 - taken) });
    await stack().log(logRow('behind'));
    for (const messageId of ['full', 'behind']) {
      await until(
        `the join of ${messageId}`,
        async () => (await stack().bounces(messageId))[0]?.['matched'] || undefined,
      );
    }
  });

  test('a repeated post, also twice at the same time, changes only receivedAt', async () => {
    await stack().log({
      ...logRow('again'),
      sentAt: '2026-11-01T00:00:00.000Z',
      expiresAt: 2_000_000_000,
      day: '2026-11-01#0',
    });
    const events = [bounce('again'), bounce('again'), bounce('again', { event: 'deferred', sg_event_id: 'again-2' })];
    await stack().postSendGrid(events);
    await stack().recorded();
    const rows = async () => (await stack().bounces('again')).map(({ receivedAt, ...row }) => row);
    const [before, storyBefore] = [await rows(), await stack().story('again')];
    expect(before).toMatchObject([{ matched: true }]);
    await Promise.all([stack().postSendGrid(events), stack().postSendGrid(events)]);
    await stack().recorded();
    expect(await rows()).toEqual(before);
    expect(await stack().story('again')).toEqual(storyBefore);

    await stack().postSendGrid(events.map((event) => ({ ...event, sg_event_id: 'of-a-copy' })));
    await stack().recorded();
    expect(await rows()).toEqual(
      before.map((row) => ({ ...row, details: expect.objectContaining({ sg_event_id: 'of-a-copy' }) })),
    );
    expect(await stack().story('again')).toEqual(storyBefore);
  });

  test('a failure is published when it is new and when it becomes matched, but not for a repeated post', async () => {
    const published = async () =>
      (await stack().published()).filter(({ detail }) => detail['toEmail'] === 'told@example.jp');
    const event = bounce('told', { email: 'told@example.jp' });
    await stack().postSendGrid([event]);
    const [first] = await until('an event', async () => ((await published()).length > 0 ? published() : undefined));
    const [row = expect.unreachable()] = await stack().bounces('told');
    const { details: _, ...detail } = row;
    expect(first).toEqual({
      version: '0',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      'detail-type': 'Mail Bounced',
      source: 'todoke',
      account: '000000000000',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      region: 'ap-northeast-1',
      resources: [],
      detail: { stackName: 'Todoke', ...detail },
    });

    await stack().postSendGrid([event]);
    await stack().recorded();
    await stack().log(logRow('told'));
    await until('the event of the join', async () => (await published()).length > 1 || undefined);
    await stack().postSendGrid([event]);
    await stack().recorded();
    // Streams are read in order. When this event is published, all earlier ones have been, too.
    await stack().postSendGrid([bounce('told-after', { email: 'after@example.jp' })]);
    await until('the event after it', async () =>
      (await stack().published()).find(({ detail: { toEmail } }) => toEmail === 'after@example.jp'),
    );
    expect((await published()).map(({ detail: { matched } }) => matched)).toEqual([false, true]);
  });

  test('a row that is put back, as by a late write, is joined again, but not published again', async () => {
    const published = async () =>
      (await stack().published()).filter(({ detail: { toEmail } }) => toEmail === 'back@example.jp');
    await stack().log(logRow('back'));
    await until('the late join to be done', async () =>
      (await stack().story('back')).find(({ day }) => day !== undefined),
    );
    await stack().postSendGrid([bounce('back', { email: 'back@example.jp' })]);
    const joined = await until('the row', async () => (await stack().bounces('back'))[0]);
    expect(joined).toMatchObject({ matched: true });
    await stack().putBounce({ ...joined, matched: false });
    const again = await until('the second join', async () =>
      (await stack().bounces('back')).find(({ matched }) => matched === true),
    );
    expect(again).toEqual({ ...joined, rejoined: true });
    await stack().postSendGrid([bounce('back-after', { email: 'back-after@example.jp' })]);
    await until('the event after it', async () =>
      (await stack().published()).find(({ detail: { toEmail } }) => toEmail === 'back-after@example.jp'),
    );
    expect(await published()).toHaveLength(1);
  });

  test('an asynchronous bounce without a message id is stored under a key made from its content', async () => {
    const event = bounce('', { sg_message_id: '', email: 'async@example.jp' });
    await stack().postSendGrid([event]);
    await stack().postSendGrid([event]);
    await stack().recorded();
    const rows = (await stack().allBounces()).filter((row) => row['toEmail'] === 'async@example.jp');
    expect(rows).toMatchObject([{ matched: false, fullMessageId: expect.stringMatching(/^sha256:[0-9a-f]{32}$/) }]);
  });
});

describe("Customers Mail Cloud's webhook", () => {
  const payloads: CustomersMailCloudPayload[] = JSON.parse(
    readFileSync(new URL('../fixtures/customers-mail-cloud/deliveries-and-bounces.json', import.meta.url), 'utf8'),
  );

  test('records the documented payloads, as form and as JSON', async () => {
    const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
    for (const payload of payloads) {
      const asForm = await stack().postCustomersMailCloud(payload);
      const asJson = await post(url, JSON.stringify({ ...payload, api_key: API_KEY }), {
        headers: { 'content-type': 'application/json' },
      });
      expect(asForm).toEqual(accepted(1));
      expect(asJson).toEqual(accepted(1));
    }
    await stack().recorded();
    const rows = (await stack().allBounces()).filter((row) => String(row['eventId']).startsWith('2023-01-25 '));
    const summary = rows.map((row) => [row['fullMessageId'], row['eventId'], row['outcome'], row['timestamp']]);
    expect(summary.toSorted()).toEqual([
      [
        '<8f902ee7-ae65-8711-48a8-2f708cb14205@example.com>#user@example',
        '2023-01-25 14:05:15#bounces#1',
        'bounced',
        1674623115,
      ],
      [
        '<9e7e564c-ac83-8cd8-2cb4-b9ff2a9f168d@example.com>#no-user@example.jp',
        '2023-01-25 14:06:06#deliveries#failed',
        'failed',
        1674623166,
      ],
      [
        '<9e7e564c-ac83-8cd8-2cb4-b9ff2a9f168d@example.com>#no-user@example.jp',
        '2023-01-25 14:06:07#bounces#2',
        'bounced',
        1674623167,
      ],
    ]);
    const story = await stack().story('<031a32d4-06cd-b1ae-9526-011c0b9f1296@example.com>');
    expect(story.map((row) => row['state'])).toEqual(['queued', 'delivered']);
  });

  test('accepts api_key, Basic and Bearer, and refuses everything else', async () => {
    const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
    const body = '{"event_type":"deliveries","event":{"deliveries":[]}}';
    const send = async (authorization?: string, change: object = {}) => {
      const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
      return (await post(url, JSON.stringify({ ...JSON.parse(body), ...change }), { headers })).status;
    };
    const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    expect(await send(basic(BASIC.user, BASIC.password))).toBe(200);
    expect(await send(`Bearer ${BEARER_TOKEN}`)).toBe(200);
    expect(await send(undefined, { api_key: API_KEY })).toBe(200);
    expect(await send()).toBe(401);
    expect(await send(basic(BASIC.user, 'wrong'))).toBe(401);
    expect(await send('Bearer wrong')).toBe(401);
    expect(await send(undefined, { api_key: 'wrong' })).toBe(401);
    expect(await send(undefined, { api_key: '' })).toBe(401);
  });

  test.each([
    ['another content type', 'text/plain', 'x', 415],
    ['a form without event', 'application/x-www-form-urlencoded', `api_key=${API_KEY}`, 400],
    ['a form whose event is not JSON', 'application/x-www-form-urlencoded', `api_key=${API_KEY}&event=%7B`, 400],
    ['JSON without event', 'application/json', `{"api_key":"${API_KEY}"}`, 400],
    ['malformed JSON', 'application/json', '{"api_key"', 401],
  ])('%s is answered %s', async (_, contentType, body, status) => {
    const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
    await expect(post(url, body, { headers: { 'content-type': contentType } })).resolves.toMatchObject({
      status,
      body: { error: expect.stringMatching(/^Cannot /) },
    });
  });

  test('refuses posts of more than 5 MiB', async () => {
    const url = stack().local.outputs['CustomersMailCloudWebhookUrl'] ?? '';
    const body = JSON.stringify({ api_key: API_KEY, event: { deliveries: ['x'.repeat(5 * 1024 * 1024)] } });
    const answer = await post(url, body, { headers: { 'content-type': 'application/json' } });
    expect(answer).toEqual({ status: 413, body: { error: expect.stringMatching(/at most 5242880 are allowed/) } });
  });

  test('joins by apiData if no mail has the message id, also when the mail is logged later', async () => {
    const entry = {
      created: '2026-11-01 10:00:00',
      messageId: '<set-by-somebody-else@example.com>',
      apiData: 'order-4711',
      status: '2',
      reason: '550 5.1.1',
      subject: 's',
      from: 'shop@example.com',
      to: 'bounce@example.jp',
      returnPath: 'r@example.com',
    };
    await stack().postCustomersMailCloud({ event_type: 'bounces', event: { bounces: [entry] } });
    await stack().recorded();
    await stack().log(logRow('order-4711'));
    const [row] = await until('the join by apiData', async () => {
      const rows = await stack().bounces('order-4711');
      return rows.length > 0 ? rows : undefined;
    });
    expect(row).toMatchObject({
      matched: true,
      toName: '鈴木花子',
      fullMessageId: '<set-by-somebody-else@example.com>#bounce@example.jp',
    });
  });

  test('records two events for two recipients of one mail with the same time and status', async () => {
    const entry = {
      created: '2026-11-01 10:00:00',
      messageId: '<two@example.com>',
      status: 'succeeded',
      reason: '',
      subject: 's',
      from: 'a@example.com',
      apiData: '',
    };
    await stack().postCustomersMailCloud({
      event_type: 'deliveries',
      event: {
        deliveries: [
          { ...entry, to: 'a@example.jp' },
          { ...entry, to: 'b@example.jp' },
        ],
      },
    });
    await stack().recorded();
    expect((await stack().story('<two@example.com>')).map(({ recipient }) => recipient)).toEqual([
      'a@example.jp',
      'b@example.jp',
    ]);
  });
});
