import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UpdateTableCommand } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, test } from 'vitest';
import { noNewsCheck } from '../../bin/support/doctor/rows.ts';
import { find } from '../../bin/support/find/find.ts';
import { parseOutputs, type StackOutputs } from '../../bin/support/outputs.ts';
import { tablesOf } from '../../bin/support/stack-tables.ts';
import { batchPut } from '../../lambda/aws/dynamodb.ts';
import type { Tables } from '../../lambda/recipients/tables.ts';
import { dayKey } from '../../lambda/recording/keys.ts';
import type { Rig } from '../faults/storage.ts';
import { withStorage } from '../faults/with-storage.ts';
import { temporaryFolder, whenFinished } from '../temporary.ts';
import { ranHere, runOn } from './command.ts';

/** Rows of other recipients. A million takes an hour: TMPDIR=/tmp FIND_ROWS=1000000 npx vitest run test/end-to-end/find.test.ts */
const OTHER_EVENTS = Number(process.env['FIND_ROWS'] ?? 1_000);
const MAILS = 30;
const HOUR_MS = 3_600_000;
const NOW_MS = Date.now();
const TARO = 'taro@example.jp';

const iso = (ms: number) => new Date(ms).toISOString();
const sentMs = (n: number) => NOW_MS - (n + 5) * HOUR_MS;

/** The log row of a mail to Taro and others. */
function logRow(n: number, change: object = {}) {
  const messageId = `mail-${n}_of-taro`;
  const sentAt = iso(sentMs(n));
  return {
    messageId,
    entry: 'mail',
    provider: 'sendgrid',
    mailId: `order-${n}`,
    from: '{"email":"shop@example.com","name":"さくら商店"}',
    to: '[{"email":"Taro@example.jp","name":"鈴木太郎"}]',
    subject: `ご注文 ${n}`,
    sentAt,
    day: dayKey(sentAt, messageId),
    ...change,
  };
}

function eventRow(messageId: string, recipient: string, state: string, atMs: number, change: object = {}) {
  return {
    messageId,
    entry: `event#${iso(atMs)}#${state}-${messageId}-${recipient}`,
    state,
    recipient,
    provider: 'sendgrid',
    reason: state === 'delivered' ? '250 2.0.0 OK' : '',
    fullMessageId: `${messageId}.recvd-1`,
    eventId: `${state}-${messageId}`,
    ...change,
  };
}

const storage = withStorage();
let rig: Rig;
let tables: Tables;
let outputsFile: string;
let outputs: StackOutputs;

async function put(table: string, rows: readonly object[]): Promise<void> {
  for (let start = 0; start < rows.length; start += 250) {
    const puts = rows.slice(start, start + 250).map((row) => ({ table, row: { ...row } }));
    expect(await batchPut(storage().store.client, puts, AbortSignal.timeout(60_000))).toEqual([]);
  }
}

const asked = (text: string, limit = 100) => find(tables, text, { limit, nowMs: NOW_MS });

/** The number of requests that an answer needs, by action. */
async function requestsFor(text: string, limit?: number) {
  rig.proxy.calls.length = 0;
  await asked(text, limit);
  const own = [...rig.proxy.calls];
  const count = (action: string, index?: string) =>
    own.filter(({ action: done, body }) => done === action && body['IndexName'] === index).length;
  return {
    all: own.length,
    byRecipient: count('Query', 'byRecipient'),
    byDay: count('Query', 'byDay'),
    batches: count('BatchGetItem'),
  };
}

beforeAll(async () => {
  rig = await storage().rig();
  const name = (table: string) => storage().template.ref(table);
  outputs = parseOutputs({
    MailTableName: name('Mail'),
    SentLogTableName: name('SentLog'),
    BounceTableName: name('Bounce'),
    WebhookSecretName: 'none',
    SenderSecretName: 'none',
    DynamoDbEndpoint: rig.proxy.endpoint,
  });
  outputsFile = join(temporaryFolder(), 'outputs.json');
  await writeFile(outputsFile, JSON.stringify({ Todoke: outputs }));
  tables = tablesOf(outputs);
  whenFinished(() => tables.client.destroy());
  const others = [{ email: 'hanako@example.com' }, { email: 'jiro@example.com' }];
  await put(tables.sentLog, [
    ...Array.from({ length: MAILS - 2 }, (_, n) => logRow(n)),
    // A mail to three recipients, and one without any event.
    logRow(28, { to: JSON.stringify([{ email: TARO }, ...others]), cc: '["cc@example.com"]' }),
    logRow(29, {
      to: `太郎 <${TARO}>`,
      sentAt: iso(NOW_MS - 6 * HOUR_MS),
      day: dayKey(iso(NOW_MS - 6 * HOUR_MS), '29'),
    }),
    ...Array.from({ length: MAILS - 1 }, (_, n) => [
      eventRow(`mail-${n}_of-taro`, TARO, 'queued', sentMs(n) + 1_000),
      eventRow(`mail-${n}_of-taro`, TARO, n === 3 ? 'bounced' : 'delivered', sentMs(n) + 2_000),
    ]).flat(),
    eventRow('mail-28_of-taro', 'hanako@example.com', 'delivered', sentMs(28) + 2_000),
    { ...logRow(0), messageId: '<4f1c@example.com>', mailId: 'smtp-1', to: 'smtp@xn--wgv71a119e.jp' },
    eventRow('<4f1c@example.com>', 'smtp@xn--wgv71a119e.jp', 'delivered', sentMs(1)),
    eventRow('<4f1d@example.com>', 'smtp@日本語.jp', 'delivered', sentMs(2)),
  ]);
  await put(tables.bounce, [
    {
      fullMessageId: 'mail-3_of-taro.recvd-1',
      eventId: 'bounced-mail-3_of-taro',
      messageId: 'mail-3_of-taro',
      toEmail: TARO,
      outcome: 'bounced',
      bounceClass: 'hard',
      reason: '550 5.1.1 User unknown',
      occurredAt: iso(sentMs(3) + 2_000),
      matched: true,
    },
  ]);
});

describe('find shows each of thirty messages', () => {
  test('by its recipient, newest first, with subject, state and reason', async () => {
    const { recipient, mails } = await asked('TARO@Example.jp');
    expect(recipient).toEqual({
      email: TARO,
      suppressed: { since: iso(sentMs(3) + 2_000), reason: '550 5.1.1 User unknown', by: 'bounce' },
    });
    expect(mails).toHaveLength(MAILS);
    const times = mails.map(({ sentAt }) => String(sentAt));
    expect(times).toEqual(times.toSorted().toReversed());
    const found = new Map(mails.map((mail) => [mail.subject, mail]));
    for (let n = 0; n < MAILS; n++) {
      const [taro, ...rest] = found.get(`ご注文 ${n}`)?.recipients ?? [];
      expect(rest).toEqual([]);
      expect(taro?.state).toBe(n === 3 ? 'bounced' : n === 29 ? 'no-news' : 'delivered');
    }
    expect(found.get('ご注文 3')?.recipients).toMatchObject([
      { email: 'Taro@example.jp', name: '鈴木太郎', bounceClass: 'hard', reason: '550 5.1.1 User unknown' },
    ]);
  });

  test.each(Array.from({ length: MAILS }, (_, n) => n))('message %i by its message id and its item id', async (n) => {
    const mails = [{ messageId: `mail-${n}_of-taro`, mailId: `order-${n}`, subject: `ご注文 ${n}` }];
    expect(await asked(`mail-${n}_of-taro`)).toMatchObject({ mails });
    expect(await asked(`mail-${n}_of-taro.recvd-5b6594c664-csn64-1-6B05AD70-1.0`)).toMatchObject({ mails });
    if (n > 0) return;
    await put(tables.mail, [
      {
        id: 'not-mailed',
        status: 'failed',
        error: 'No sender',
        to: 'nobody@example.jp',
        subject: 'x',
      },
      { id: 'no-recipient', status: 'failed', error: 'Nobody to send to', to: 'nobody' },
    ]);
    expect(await asked('no-recipient')).toMatchObject({
      mails: [{ mailId: 'no-recipient', recipients: [], unsent: { state: 'failed', reason: 'Nobody to send to' } }],
    });
    expect(await asked('not-mailed')).toMatchObject({
      mails: [
        { mailId: 'not-mailed', recipients: [{ email: 'nobody@example.jp', state: 'failed', reason: 'No sender' }] },
      ],
    });
  });
});

test('find accepts a Message-ID with or without brackets, and an internationalized domain in both forms', async () => {
  for (const text of ['<4f1c@example.com>', '4f1c@example.com', '4F1C@EXAMPLE.COM']) {
    expect(await asked(text)).toMatchObject({ mails: [{ messageId: '<4f1c@example.com>' }] });
  }
  for (const text of ['smtp@日本語.jp', 'SMTP@xn--wgv71a119e.jp']) {
    const { mails } = await asked(text);
    expect(mails.map(({ messageId }) => messageId)).toEqual(['<4f1c@example.com>', '<4f1d@example.com>']);
  }
});

test('an id shows the whole story, with every recipient and every event', async () => {
  const { recipient, mails } = await asked('mail-28_of-taro');
  expect(recipient).toBe(undefined);
  expect(mails[0]?.recipients.map(({ email, state }) => [email, state])).toEqual([
    [TARO, 'delivered'],
    ['hanako@example.com', 'delivered'],
    ['jiro@example.com', 'no-news'],
    ['cc@example.com', 'no-news'],
  ]);
  expect(mails[0]?.events.map(({ state }) => state)).toEqual(['queued', 'delivered', 'delivered']);
});

test('the command prints text and JSON, and omits unknown values', async () => {
  const said = await runOn(outputsFile, 'find', TARO, '--limit', '3');
  expect(said).toContain('taro@example.jp: the newest 3 messages, newest first');
  expect(said).toMatch(/This address has been suppressed since a hard bounce on \d+ \w+ .*: 550 5\.1\.1 User unknown/);
  expect(said).toMatch(/ご注文 0\n +delivered on \d+ \w+ at \d\d:\d\d; the receiving server answered 250 2\.0\.0 OK/);
  expect(said).toContain('--limit shows more');
  const printed = JSON.parse(await runOn(outputsFile, 'find', 'mail-0_of-taro', '--json'));
  expect(printed).toEqual({
    mails: [
      {
        messageId: 'mail-0_of-taro',
        sentAt: iso(sentMs(0)),
        provider: 'sendgrid',
        mailId: 'order-0',
        from: 'shop@example.com',
        subject: 'ご注文 0',
        recipients: [
          {
            email: 'Taro@example.jp',
            name: '鈴木太郎',
            state: 'delivered',
            occurredAt: iso(sentMs(0) + 2_000),
            reason: '250 2.0.0 OK',
          },
        ],
        events: [
          { occurredAt: iso(sentMs(0) + 1_000), state: 'queued', recipient: TARO },
          { occurredAt: iso(sentMs(0) + 2_000), state: 'delivered', recipient: TARO, reason: '250 2.0.0 OK' },
        ],
      },
    ],
  });
  expect(JSON.parse(await runOn(outputsFile, 'find', 'nobody-ever@example.jp', '--json'))).toEqual({
    recipient: { email: 'nobody-ever@example.jp', suppressed: null },
    mails: [],
  });
});

test('the doctor names a message of the last day without an event, but none that is younger than noNewsHours', async () => {
  expect(await noNewsCheck({ outputs, client: tables.client }).look()).toMatchObject({
    state: 'fix',
    says: expect.stringMatching(/^1 of \d+ messages of the day that ended 4 hours ago .*such as mail-29_of-taro/),
  });
  const later = { ...outputs, NoNewsHours: 7 };
  expect(await noNewsCheck({ outputs: later, client: tables.client }).look()).toMatchObject({ state: 'ok' });
});

test('if nothing is found, the command says where it looked, what that means, and which address is similar', async () => {
  const said = await runOn(outputsFile, 'find', 'taor@example.jp');
  expect(said).toContain('Nothing was found for taor@example.jp.');
  expect(said).toMatch(/index byRecipient.*index byDay/);
  expect(said).toMatch(/never logged[\s\S]*retention period[\s\S]*spelled differently/);
  expect(said).toContain('Did you mean taro@example.jp?');
  expect(await runOn(outputsFile, 'find', 'no-such-id')).toContain('or the id is incomplete');
  expect(await ranHere(outputsFile, 'find')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('Give it as in `npm run find -- ADDRESS|ID`'),
  });
});

test(
  'the number of requests does not grow with the tables',
  async () => {
    const before = { taro: await requestsFor(TARO), id: await requestsFor('mail-28_of-taro') };
    // One page of events and one query of Bounce; the log rows; one failure.
    expect(before.taro).toMatchObject({ byRecipient: 2, batches: 2 });
    expect(before.taro.byDay).toBeLessThanOrEqual(24);
    expect(before.id.all).toBeLessThanOrEqual(6);

    // Without a stream the engine writes faster. Nothing here reads the stream.
    const noStream = { TableName: tables.sentLog, StreamSpecification: { StreamEnabled: false } };
    await storage().store.client.send(new UpdateTableCommand(noStream));
    for (let start = 0; start < OTHER_EVENTS; start += 50_000) {
      const rows = Array.from({ length: Math.min(50_000, OTHER_EVENTS - start) }, (_, n) => {
        const id = start + n;
        return eventRow(`other-${id}`, `someone-${id % 9_973}@example.net`, 'delivered', NOW_MS - id * 1_000);
      });
      await put(tables.sentLog, rows);
    }
    expect(await requestsFor(TARO)).toEqual(before.taro);
    expect(await requestsFor('mail-28_of-taro')).toEqual(before.id);
    if (process.env['FIND_ROWS']) console.log({ events: OTHER_EVENTS, ...before });

    // An address that gets a copy of every mail: the limits stay at one page of a hundred events, even among thousands.
    const archive = Array.from({ length: 700 }, (_, n) =>
      eventRow(`other-${n}`, 'archive@example.net', 'delivered', NOW_MS - n * 1_000, {
        entry: `event#${iso(NOW_MS - n * 1_000)}#a${n}`,
      }),
    );
    await put(tables.sentLog, archive);
    expect(await requestsFor('archive@example.net', 20)).toMatchObject({ byRecipient: 2, batches: 1 });
  },
  Math.max(60_000, OTHER_EVENTS * 10),
);
