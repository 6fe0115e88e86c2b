/** Claims: a record or message that comes twice, after a crash, or beside another invocation, sends one mail. */
import { describe, expect, test } from 'vitest';
import { recordOf } from './sender-servers.ts';
import { MINUTE_MS, senderWithClock } from './sender-with-clock.ts';

const { at, clock, letter, unique, waiting, mailsTo, logRowsOf } = senderWithClock();

describe('streams deliver at least once, but a mail is sent once', () => {
  test('a record is repeated, in the same batch and in another', async () => {
    const { id, record } = await waiting('twice');
    expect(await at().deliver([record, record])).toEqual([]);
    expect(await at().deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toHaveLength(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
  });

  test('ten concurrent invocations', async () => {
    const { id, record } = await waiting('ten');
    const answers = await Promise.all(Array.from({ length: 10 }, () => at().deliver([record])));
    expect(answers.flat()).toEqual([]);
    expect(mailsTo(id)).toBe(1);
  });

  test('a record whose item is claimed leaves the stream, and its mail is sent after the claim has lapsed', async () => {
    const { id, record } = await waiting('held', {
      status: 'sending',
      attempts: 1,
      sendingUntil: new Date(Date.now() + MINUTE_MS).toISOString(),
    });
    expect(await at().deliver([record])).toEqual([]);
    expect(at().retries.put).toHaveLength(1);
    await at().deliverRetries();
    expect(mailsTo(id)).toBe(0);
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 2 });
    expect(at().retries.waiting()).toBe(0);
  });

  test('or is not sent, if the other invocation has sent it by then', async () => {
    const { id, record } = await waiting('held', {
      status: 'sending',
      attempts: 1,
      sendingUntil: new Date(Date.now() + MINUTE_MS).toISOString(),
    });
    await at().deliver([record]);
    await at().put(letter(id, { status: 'sent' }));
    await clock.nextAttempt();
    expect(mailsTo(id)).toBe(0);
    expect(at().retries.waiting()).toBe(0);
  });

  test('nothing waits for a claim that was typed by hand and never ends', async () => {
    const { record } = await waiting('typed', { status: 'sending', sendingUntil: '2999-01-01T00:00:00.000Z' });
    expect(await at().deliver([record])).toEqual([]);
    expect(at().retries.waiting()).toBe(0);
  });

  test('after a lapsed claim a mail is sent by SMTP again, with the same Message-ID and one log row', async () => {
    const { id, record } = await waiting('smtp', { provider: 'customers-mail-cloud' });
    await at().deliver([record]);
    const first = await at().mail(id);
    await at().put({
      ...letter(id, { provider: 'customers-mail-cloud' }),
      status: 'sending',
      attempts: 1,
      sendingUntil: '2020-01-01T00:00:00.000Z',
    });
    await at().deliver([record]);
    expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 2, messageId: first?.['messageId'] });
    expect(at().smtp.messages.filter(({ recipients }) => recipients.includes(`${id}@example.jp`))).toHaveLength(2);
    expect(await logRowsOf(id)).toHaveLength(1);
  });

  test('a mail that was tried five times without an answer fails', async () => {
    const { id, record } = await waiting('given-up', {
      status: 'sending',
      attempts: 5,
      sendingUntil: '2020-01-01T00:00:00.000Z',
    });
    expect(await at().deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(0);
    expect(await at().mail(id)).toMatchObject({
      status: 'failed',
      attempts: 5,
      error: expect.stringMatching(/tried 5 times without an answer.*delete the attribute status/),
    });
  });
});

describe('after a crash, the repeated delivery continues with the item:', () => {
  /** The invocation that receives a message claims its item, and then does nothing more, as if it had crashed. */
  async function crashAtNextAttempt(id: string) {
    clock.advance(5 * MINUTE_MS);
    const [message] = await at().retries.receive();
    if (message === undefined) return expect.fail('No message is due');
    let isHandedOver = false;
    at().proxy.plan = ({ action }) => (isHandedOver && action === 'UpdateItem' ? 'error 500' : undefined);
    at().api.answer = () => {
      isHandedOver = true;
      return { status: 500 };
    };
    at().retries.refuses = true;
    expect(await at().deliverMessages([message])).toEqual([message.messageId]);
    at().retries.refuses = false;
    at().proxy.plan = () => undefined;
    at().api.answer = () => undefined;
    expect(await at().mail(id)).toMatchObject({ status: 'sending', sendingUntil: expect.stringMatching(/^20/) });
    // The message is visible again.
    clock.advance(20 * MINUTE_MS);
    await at().deliverRetries();
  }
  async function openBreaker() {
    at().api.answer = () => ({ status: 503 });
    const down = await Promise.all([1, 2, 3].map(() => waiting('down')));
    await at().deliver(down.map(({ record }) => record));
    await at().retries.reset();
  }

  test('a record, while its provider defers other mails', async () => {
    const sendingUntil = new Date(Date.now() + MINUTE_MS).toISOString();
    const { id, record } = await waiting('crashed', { status: 'sending', attempts: 1, sendingUntil });
    await openBreaker();
    await at().deliver([record]);
    at().api.answer = () => undefined;
    await clock.pass(10 * MINUTE_MS, MINUTE_MS);
    expect(mailsTo(id)).toBe(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 2 });
  });

  test('a message of an item that could not be written', async () => {
    await openBreaker();
    const { id, record } = await waiting('unwritten');
    at().proxy.plan = ({ action }) => (action === 'UpdateItem' ? 'error 500' : undefined);
    await at().deliver([record]);
    expect(await at().mail(id)).not.toHaveProperty('status');
    at().proxy.plan = () => undefined;
    await crashAtNextAttempt(id);
    expect(mailsTo(id)).toBe(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 2 });
  });

  test('a message whose claim could not be released', async () => {
    let isDeferred = false;
    at().api.answer = () => {
      isDeferred = true;
      return { status: 500 };
    };
    at().proxy.plan = ({ action }) => (isDeferred && action === 'UpdateItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('unlucky');
    expect(await at().deliver([record])).toEqual([]);
    await crashAtNextAttempt(id);
    expect(mailsTo(id)).toBe(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 3 });
  });
});

test('if two invocations take over a lapsed claim, the slower one waits', async () => {
  const { id, record } = await waiting('contested', { status: 'sending', sendingUntil: '2026-01-01T00:00:00.000Z' });
  const quicker = { status: 'sending', sendingUntil: new Date(Date.now() + MINUTE_MS).toISOString() };
  at().proxy.plan = async ({ body }) => {
    if (JSON.stringify(body).includes('2026-01-01')) await at().put(letter(id, quicker));
    return undefined;
  };
  expect(await at().deliver([record])).toEqual([]);
  expect(mailsTo(id)).toBe(0);
  at().proxy.plan = () => undefined;
  await at().put(letter(id, { status: 'sent' }));
  await clock.nextAttempt();
  expect(mailsTo(id)).toBe(0);
});

test('an edit during the handover loses neither the edit nor the result', async () => {
  const { id, record } = await waiting('edited');
  at().api.answer = async () => {
    await at().put({
      ...letter(id, { subject: 'Edited' }),
      note: 'mine',
      ...pick(await at().mail(id), ['status', 'sendingUntil', 'attempts']),
    });
    return undefined;
  };
  await at().deliver([record]);
  expect(await at().mail(id)).toMatchObject({ status: 'sent', subject: 'Edited', note: 'mine' });
});

test.each(['', null])('a status that was emptied to %j counts as missing', async (status) => {
  const { id, record } = await waiting('emptied', { status, messageId: 'of last time', attempts: 5 });
  expect(await at().deliver([record, record])).toEqual([]);
  expect(mailsTo(id)).toBe(1);
  expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 1, messageId: expect.stringMatching(id) });
});

test.each(['sent', 'failed', 'done by hand', 1])('a status %j is left alone', async (status) => {
  const { id, record } = await waiting('other-status', { status });
  expect(await at().deliver([record])).toEqual([]);
  expect(mailsTo(id)).toBe(0);
  expect(await at().mail(id)).toMatchObject({ status });
});

test('if the item was deleted, nothing is sent, and no item is written', async () => {
  const id = unique('gone');
  expect(await at().deliver([recordOf(letter(id))])).toEqual([]);
  expect(mailsTo(id)).toBe(0);
  expect(await at().mail(id)).toBeUndefined();
});

function pick(row: Record<string, unknown> | undefined, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, row?.[name]]));
}
