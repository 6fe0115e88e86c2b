import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { readOutputs } from '../../bin/support/outputs.ts';
import { documentClientOf } from '../../bin/support/stack-tables.ts';
import { storableMessageId } from '../../lambda/recording/keys.ts';
import { temporaryFolder } from '../temporary.ts';
import { ranHere, runOn } from './command.ts';
import { runningStack } from './running-stack.ts';

const stack = runningStack();
// Replay reads all rows of the table. Without this fault, publish-failures would join the unmatched ones first.
beforeEach(async () => {
  stack().storage.plan = ({ caller }) => (caller === 'PublishFailures' ? 'error 500' : undefined);
  await stack().deleteBounces();
});

const receivedAt = '2026-11-01T00:00:00.000Z';
const bounce = {
  email: 'taro@example.jp',
  timestamp: 1793491200,
  event: 'bounce',
  type: 'bounce',
  reason: '550 5.1.1 no such user',
  sg_event_id: 'replayed-event',
  sg_message_id: 'replayed.recvd-1',
};
const entry = {
  created: '2026-11-01 09:00:00',
  messageId: '<m@example.com>',
  status: '2',
  reason: '550 5.1.1',
  to: 'a@example.jp',
};

const replay = (...args: string[]) => runOn(stack().local.outputsFile, 'replay', ...args);

test('unrecognized events become rows if they are recognized now, unmatched rows are joined if their mail is logged now, and other rows stay', async () => {
  const unrecognized = (key: string, provider: string, raw: unknown) => ({
    fullMessageId: key,
    eventId: key,
    provider,
    outcome: 'unrecognized',
    matched: false,
    receivedAt,
    occurredAt: receivedAt,
    expiresAt: 1793491200 + 180 * 86_400,
    rawEvent: typeof raw === 'string' ? raw : JSON.stringify(raw),
  });
  const outputs = await readOutputs(stack().local.outputsFile);
  const client = documentClientOf(outputs);
  for (const row of [
    unrecognized('old-sendgrid', 'sendgrid', bounce),
    unrecognized('old-cmc', 'customers-mail-cloud', { bounces: [entry] }),
    unrecognized('still-unknown', 'sendgrid', { event: 'levitated' }),
    unrecognized('cut', 'sendgrid', '{"event":"bounce","reason":"… (shortened'),
    // A row that DynamoDB refused. It is not an event, although it has the fields of one.
    unrecognized('row', 'sendgrid', { ...bounce, fullMessageId: 'replayed.recvd-1', eventId: 'of-a-row' }),
    unrecognized('cmc-row', 'customers-mail-cloud', { bounces: [entry], fullMessageId: 'f', eventId: 'of-a-row' }),
    // A recorder that crashed just before its second lookup of the mail would leave such a row.
    {
      fullMessageId: 'f',
      eventId: 'e',
      provider: 'sendgrid',
      messageId: 'logged',
      outcome: 'bounced',
      matched: false,
      toEmail: 'taro@example.jp',
      receivedAt,
    },
    // A row of an older version, which could not join by sg_message_id.
    {
      fullMessageId: 'filter0093p1las1.9128.5717FB8127.0',
      eventId: 'e',
      provider: 'sendgrid',
      outcome: 'dropped',
      matched: false,
      toEmail: 'taro@example.jp',
      receivedAt,
      details: { 'smtp-id': '<logged@ismtpd0006p1sjc2.sendgrid.net>' },
    },
    {
      fullMessageId: 'g',
      eventId: 'e',
      provider: 'sendgrid',
      messageId: 'never-logged',
      outcome: 'bounced',
      matched: false,
      receivedAt,
    },
  ]) {
    await client.send(new PutCommand({ TableName: outputs.BounceTableName, Item: row }));
  }
  const mail = {
    entry: 'mail',
    from: 'shop@example.com',
    to: '山田太郎 <taro@example.jp>',
    subject: 's',
    sentAt: receivedAt,
    expiresAt: 1,
    day: '2026-11-01#0',
  };
  await stack().log({ ...mail, messageId: 'logged' });
  await stack().log({ ...mail, messageId: 'replayed' });
  const before = await stack().allBounces();

  const dry = await replay('--dry-run');
  expect(dry).toMatch(
    /2 would now be recognized, 4 still unrecognized\n *3 of the unrecognized rows cannot be replayed[\s\S]*2 would now be joined with a log row, 1 still without a log row[\s\S]*Nothing was changed/,
  );
  expect(await stack().allBounces()).toEqual(before);

  expect(await replay()).toMatch(
    /2 now recognized, 4 still unrecognized\n *3 of the unrecognized rows cannot be replayed[\s\S]*2 now joined with a log row, 1 still without a log row/,
  );
  const rows = new Map((await stack().allBounces()).map((row) => [row['fullMessageId'], row]));
  expect([...rows.keys()].toSorted()).toEqual([
    '<m@example.com>#a@example.jp',
    'cmc-row',
    'cut',
    'f',
    'filter0093p1las1.9128.5717FB8127.0',
    'g',
    'replayed.recvd-1',
    'row',
    'still-unknown',
  ]);
  expect(rows.get('replayed.recvd-1')).toMatchObject({
    outcome: 'bounced',
    matched: true,
    toName: '山田太郎',
    receivedAt,
    expiresAt: 1793491200 + 180 * 86_400,
  });
  expect(rows.get('<m@example.com>#a@example.jp')).toMatchObject({
    outcome: 'bounced',
    matched: false,
    timestamp: 1793491200,
  });
  expect(rows.get('f')).toMatchObject({ matched: true, toName: '山田太郎', fromEmail: 'shop@example.com' });
  expect(rows.get('filter0093p1las1.9128.5717FB8127.0')).toMatchObject({ matched: true, messageId: 'logged' });
  expect((await stack().story('replayed')).map((row) => row['state'])).toEqual(['bounced', undefined]);

  const again = await stack().allBounces();
  expect(await replay()).toMatch(/0 now recognized, 4 still unrecognized[\s\S]*0 now joined/);
  expect(await stack().allBounces()).toEqual(again);
});

test('a mail is found by its X-Api-Data in the same way as by the recorder, also escaped and too long for a key', async () => {
  const long = `<${'a'.repeat(3_000)}@example.com>`;
  const mail = { entry: 'mail', from: 'shop@example.com', to: 'taro@example.jp', subject: 's' };
  await stack().log({ ...mail, messageId: '<api-data@example.com>' });
  await stack().log({ ...mail, messageId: storableMessageId(long) });
  await stack().log({ ...mail, messageId: 'of-somebody-else' });
  const failed = {
    occurredAt: receivedAt,
    receivedAt,
    outcome: 'bounced',
    matched: false,
    messageId: '<other@example.com>',
  };
  const outputs = await readOutputs(stack().local.outputsFile);
  const TableName = outputs.BounceTableName;
  const client = documentClientOf(outputs);
  const rows = {
    escaped: { provider: 'customers-mail-cloud', details: { apiData: '\\u003Capi-data@example.com\\u003E' } },
    long: { provider: 'customers-mail-cloud', details: { apiData: long } },
    'custom argument': { provider: 'sendgrid', details: { apiData: 'of-somebody-else' } },
  };
  for (const [fullMessageId, row] of Object.entries(rows)) {
    await client.send(new PutCommand({ TableName, Item: { ...failed, ...row, fullMessageId, eventId: 'e' } }));
  }
  expect(await replay()).toMatch(/2 now joined with a log row, 1 still without a log row/);
  const matched = (await stack().allBounces()).filter((row) => row['matched']).map((row) => row['fullMessageId']);
  expect(matched.toSorted()).toEqual(['escaped', 'long']);
});

test('a row that cannot be replayed is named, and the others are replayed', async () => {
  const outputs = await readOutputs(stack().local.outputsFile);
  const TableName = outputs.BounceTableName;
  const client = documentClientOf(outputs);
  const unrecognized = { eventId: 'e', provider: 'sendgrid', outcome: 'unrecognized', matched: false };
  for (const [fullMessageId, time] of Object.entries({ a: receivedAt, bad: 'no time', c: receivedAt })) {
    const rawEvent = JSON.stringify({
      ...bounce,
      sg_event_id: fullMessageId,
      sg_message_id: `kept-${fullMessageId}.recvd-1`,
    });
    await client.send(
      new PutCommand({ TableName, Item: { ...unrecognized, fullMessageId, receivedAt: time, rawEvent } }),
    );
  }
  const { stdout, stderr, status } = await ranHere(stack().local.outputsFile, 'replay');
  expect(stdout).toMatch(/CANNOT replay {"fullMessageId":"bad","eventId":"e"}: /);
  expect(stdout).toMatch(/2 now recognized, 1 still unrecognized/);
  expect({ stderr, status }).toEqual({ stderr: expect.stringMatching(/Cannot replay 1 row:/), status: 1 });
});

describe('the time zone of Customers Mail Cloud', () => {
  async function outputsWith(change: object): Promise<string> {
    const [[name, outputs] = ['', {}]] = Object.entries(
      z.record(z.string(), z.looseObject({})).parse(JSON.parse(await readFile(stack().local.outputsFile, 'utf8'))),
    );
    const file = join(temporaryFolder(), 'outputs.json');
    await writeFile(file, JSON.stringify({ [name]: { ...outputs, ...change } }));
    return file;
  }

  test('is the setting of the stack', async () => {
    const outputs = await readOutputs(stack().local.outputsFile);
    expect(outputs.CustomersMailCloudTimeZone).toBe('Asia/Tokyo');
    const key = '<z@example.com>#a@example.jp';
    const Item = {
      fullMessageId: 'zoned',
      eventId: 'zoned',
      provider: 'customers-mail-cloud',
      outcome: 'unrecognized',
      matched: false,
      receivedAt,
      rawEvent: JSON.stringify({ bounces: [{ ...entry, messageId: '<z@example.com>' }] }),
    };
    await documentClientOf(outputs).send(new PutCommand({ TableName: outputs.BounceTableName, Item }));
    await runOn(await outputsWith({ CustomersMailCloudTimeZone: 'UTC' }), 'replay');
    const row = (await stack().allBounces()).find(({ fullMessageId }) => fullMessageId === key);
    expect(row).toMatchObject({ timestamp: Date.parse('2026-11-01T09:00:00Z') / 1000 });
  });

  test('must be a known time zone', async () => {
    expect(await ranHere(await outputsWith({ CustomersMailCloudTimeZone: undefined }), 'replay')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/Cannot replay: .*CustomersMailCloudTimeZone.*deploy again/),
    });
  });
});
