/** Failures of DynamoDB before, during and after the handover. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { CLAIM_MARGIN_MS, RESERVE_MS } from '../../../lambda/sending/invocation.ts';
import { HOUR_MS, MINUTE_MS, senderWithClock } from './sender-with-clock.ts';

const { at, clock, waiting, mailsTo, logRowsOf } = senderWithClock();

describe('while storage fails', () => {
  test('after the 202 the log row is written as soon as it can be, and the mail is not sent again', async () => {
    let failures = 4;
    at().proxy.plan = ({ action }) => (action === 'PutItem' && failures-- > 0 ? 'error 500' : undefined);
    const { id, record } = await waiting('log-late');
    expect(await at().deliver([record])).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toHaveLength(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent' });
  });

  /** Advances the clock by `ms` when the API answers the first request. */
  function timePassesWhileItIsSent(ms: number) {
    let isFirst = true;
    at().api.answer = () => {
      if (isFirst) clock.advance(ms);
      isFirst = false;
      return undefined;
    };
  }

  test('if the log row cannot be written, the mail is not sent again, and the item says what is missing', async () => {
    const timeMs = 20_000;
    // Logging is given up in the middle of the reserve. The test waits for the last second before that.
    timePassesWhileItIsSent(timeMs + RESERVE_MS / 2 - 1_000);
    at().proxy.plan = ({ action }) => (action === 'PutItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('never-logged');
    expect(await at().deliver([record], timeMs)).toEqual([]);
    expect(await at().deliver([record], timeMs)).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await logRowsOf(id)).toEqual([]);
    expect(await at().mail(id)).toMatchObject({
      status: 'sent',
      attempts: 1,
      messageId: expect.stringMatching(id),
      error: 'Sent, but it could not be logged: its events will be unmatched',
    });
  });

  test('if the log row must come first but cannot be written, attempts do not count, and later the mail is sent', async () => {
    at().proxy.plan = ({ action }) => (action === 'PutItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('log-first', { provider: 'customers-mail-cloud' });
    await at().deliver([record]);
    for (let n = 0; n < 6; n++) await clock.nextAttempt();
    expect(await at().mail(id)).toMatchObject({
      status: 'sending',
      attempts: 0,
      error: 'Cannot log the mail, so it was not sent: InternalServerError; it will be tried again',
    });

    at().proxy.plan = () => undefined;
    await clock.nextAttempt();
    expect(await logRowsOf(id)).toHaveLength(1);
    const mail = await at().mail(id);
    expect(mail).toMatchObject({ status: 'sent', attempts: 1 });
    expect(mail).not.toHaveProperty('error');
  });

  test('if storage accepts no write after the 202 until the invocation ends, the mail is sent twice, as after a crash', async () => {
    const timeMs = 20_000;
    timePassesWhileItIsSent(timeMs + RESERVE_MS - 1_000);
    at().proxy.plan = ({ action }) => (at().api.requests > before && action !== 'GetItem' ? 'error 500' : undefined);
    const before = at().api.requests;
    const { id, record } = await waiting('outage');
    expect(await at().deliver([record], timeMs)).toEqual([]);
    expect(mailsTo(id)).toBe(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sending', attempts: 1 });

    at().proxy.plan = () => undefined;
    clock.advance(CLAIM_MARGIN_MS + 5_000);
    await at().deliverRetries();
    expect(mailsTo(id)).toBe(2);
    expect(await logRowsOf(id)).toHaveLength(1);
    const mail = await at().mail(id);
    expect(mail).toMatchObject({ status: 'sent', attempts: 2 });
    expect(mail).not.toHaveProperty('error');
  });

  test('an item that cannot be claimed for an hour costs few requests, and is sent as soon as it can be claimed', async () => {
    at().proxy.plan = ({ action }) => (action === 'UpdateItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('unclaimed');
    const before = at().proxy.calls.length;
    expect(await at().deliver([record])).toEqual([]);
    await clock.pass(MINUTE_MS, 1_000);
    await clock.pass(HOUR_MS - MINUTE_MS, MINUTE_MS);
    // Each attempt is three requests of the SDK.
    expect(at().proxy.calls.length - before).toBeLessThanOrEqual(20 * 3);
    expect(at().retries.waiting()).toBe(1);

    at().proxy.plan = () => undefined;
    await clock.pass(20 * MINUTE_MS, MINUTE_MS);
    expect(mailsTo(id)).toBe(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
  });

  test('a claim that cannot be released lapses, and then the mail is sent once', async () => {
    let isDeferred = false;
    at().api.answer = () => {
      isDeferred = true;
      return { status: 500 };
    };
    at().proxy.plan = ({ action }) => (isDeferred && action === 'UpdateItem' ? 'error 500' : undefined);
    const { id, record } = await waiting('not-given-back');
    expect(await at().deliver([record])).toEqual([]);
    expect(await at().mail(id)).toMatchObject({ status: 'sending', sendingUntil: expect.stringMatching(/^20/) });
    at().proxy.plan = () => undefined;
    at().api.answer = () => undefined;
    clock.advance(10_000);
    await at().deliverRetries();
    expect(mailsTo(id)).toBe(0);
    clock.advance(2 * MINUTE_MS);
    await at().deliverRetries();
    expect(mailsTo(id)).toBe(1);
    expect(await at().mail(id)).toMatchObject({ status: 'sent' });
    expect(at().retries.waiting()).toBe(0);
  });

  test.each(['throttle', 'error 500', 'reset', 'lost answer'] as const)(
    '%s at each call: one mail, one log row, and the item is sent',
    async (fault) => {
      for (const k of [1, 2, 3]) {
        const { id, record } = await waiting(`fault-${k}`);
        const before = at().proxy.calls.length;
        at().proxy.plan = () => (at().proxy.calls.length - before === k ? fault : undefined);
        expect(await at().deliver([record])).toEqual([]);
        for (let again = 0; at().retries.waiting() > 0 && again < 5; again++) await clock.nextAttempt();
        expect({
          k,
          mails: mailsTo(id),
          logRows: (await logRowsOf(id)).length,
          item: await at().mail(id),
        }).toMatchObject({ k, mails: 1, logRows: 1, item: { status: 'sent' } });
      }
    },
  );
});

test('the claim of an item with no room for an error is still released, and its attempts do not count', async () => {
  at().api.answer = () => ({ status: 500, body: JSON.stringify({ errors: [{ message: 'x'.repeat(2_000) }] }) });
  const { id, record } = await waiting('full', { padding: 'x'.repeat(400 * 1024 - 1_500) });
  await at().deliver([record]);
  for (let n = 0; n < 6; n++) await clock.nextAttempt();
  expect(await at().mail(id)).toMatchObject({ status: 'sending', attempts: 0 });
  at().api.answer = () => undefined;
  await clock.nextAttempt();
  expect(await at().mail(id)).toMatchObject({ status: 'sent', attempts: 1 });
});

test('an item with no room for a status is left alone, and counts as not sent', async () => {
  const { id, record } = await waiting('too-full', { padding: 'x'.repeat(400 * 1024 - 90) });
  const written = vi.spyOn(process.stdout, 'write');
  onTestFinished(() => written.mockRestore());
  expect(await at().deliver([record])).toEqual([]);
  expect(written.mock.calls.join()).toMatch(/too large to get a status.*"NotSent":1/);
  expect(await at().mail(id)).not.toHaveProperty('status');
  expect(at().retries.waiting()).toBe(0);
});
