import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROVIDERS } from '../../../lambda/mail/provider.ts';
import { type QueuedPost, queueMessages, readQueueMessage } from '../../../lambda/webhooks/event-queue.ts';
import { WebhookRefusal } from '../../../lambda/webhooks/request.ts';
import { anyJson, holdsForAll } from '../mail/property.ts';

const post = (events: unknown[]): QueuedPost => ({ provider: 'sendgrid', receivedAtMs: 1_795_534_194_062, events });

/** Text that compresses to about three quarters of its length. */
const noise = (length: number, seed = 1) =>
  createHash('shake256', { outputLength: Math.ceil(length * 0.75) })
    .update(String(seed))
    .digest('base64')
    .slice(0, length);

describe('a post in the queue', () => {
  test('is one queue message, and can be read back unchanged', () => {
    const anyPost = fc.record({
      provider: fc.constantFrom(...PROVIDERS),
      receivedAtMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      events: fc.array(anyJson, { maxLength: 5 }).map((events): unknown[] => JSON.parse(JSON.stringify(events))),
    });
    holdsForAll(anyPost, (one) => {
      const [message, ...others] = queueMessages(one).map(readQueueMessage);
      expect(others).toEqual([]);
      expect(message).toEqual({ ...one, jsonBytes: Buffer.byteLength(JSON.stringify(one)) });
    });
  });

  test('is split into as few messages as possible, in order, each with its provider and time of receipt', () => {
    const events = Array.from({ length: 9 }, (_, n) => ({ n, reason: noise(200, n + 1) }));
    const whole = queueMessages(post(events))[0]?.length ?? 0;
    const messages = queueMessages(post(events), whole - 1);
    expect(messages).toHaveLength(2);
    for (const message of messages) expect(message.length).toBeLessThan(whole);
    const parts = messages.map(readQueueMessage);
    expect(parts.flatMap((part) => part.events)).toEqual(events);
    expect(parts).toMatchObject([
      { provider: 'sendgrid', receivedAtMs: 1_795_534_194_062 },
      { provider: 'sendgrid', receivedAtMs: 1_795_534_194_062 },
    ]);
  });

  test('fits a limit of exactly its size, but not one byte less', () => {
    const [message = ''] = queueMessages(post([{ n: 1 }]));
    expect(queueMessages(post([{ n: 1 }]), message.length)).toEqual([message]);
    expect(() => queueMessages(post([{ n: 1 }]), message.length - 1)).toThrow(WebhookRefusal);
  });

  test('is refused if a single event is larger than a message of SQS', () => {
    const large = post([{ n: 1 }, { reason: noise(2_000_000) }]);
    expect(() => queueMessages(large)).toThrow(expect.objectContaining({ status: 413 }));
  });

  test.each(['', 'no message', Buffer.from('{}').toString('base64')])('cannot be read from %j', (body) => {
    expect(() => readQueueMessage(body)).toThrow();
  });
});
