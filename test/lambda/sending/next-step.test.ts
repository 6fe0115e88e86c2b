import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Blame, notSent } from '../../../lambda/providers/sender.ts';
import { backoffMs, nextStep, RETRY_FOR_MS } from '../../../lambda/sending/next-step.ts';
import { holdsForAll } from '../mail/property.ts';

const PUT_AT_MS = Date.UTC(2026, 10, 1);
const MINUTE_MS = 60_000;
const first = { attempts: 1, deferrals: 0, putAtMs: PUT_AT_MS };
const deferred = (blames: Blame, retryAtMs?: number) => notSent('deferred', blames, 'not now', { retryAtMs });

test('a sent mail ends as sent, and a refused mail as failed', () => {
  const sent = { kind: 'sent', messageId: 'id', refused: [] } as const;
  expect(nextStep(sent, first, PUT_AT_MS, 0)).toEqual({ kind: 'sent' });
  for (const blames of ['account', 'sender', 'message', 'recipients'] as const) {
    expect(nextStep(notSent('refused', blames, 'never'), first, PUT_AT_MS, 0)).toEqual({ kind: 'failed' });
  }
});

describe('a mail that the provider defers', () => {
  test('is tried again after delays that double up to 15 minutes, and counts no attempt', () => {
    const delays = Array.from({ length: 12 }, (_, deferrals) => {
      const step = nextStep(deferred('provider'), { ...first, attempts: 3, deferrals }, PUT_AT_MS, 1);
      return step.kind === 'retry' && step.attempts === 2 ? (step.atMs - PUT_AT_MS) / 1_000 : step;
    });
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
  });

  test('half of a delay is random', () => {
    expect(backoffMs(3, 0)).toBe(4_000);
    expect(backoffMs(3, 0.5)).toBe(6_000);
  });

  test('waits until the time that the provider names', () => {
    const retryAtMs = PUT_AT_MS + 20 * MINUTE_MS;
    expect(nextStep(deferred('provider', retryAtMs), first, PUT_AT_MS, 0)).toMatchObject({ atMs: retryAtMs });
    // A time in the past is ignored.
    expect(nextStep(deferred('provider', 0), first, PUT_AT_MS, 0)).toMatchObject({ atMs: PUT_AT_MS + 500 });
  });

  test('gets its last attempt six hours after the item was put', () => {
    const endMs = PUT_AT_MS + RETRY_FOR_MS;
    const late = { ...first, deferrals: 20 };
    expect(nextStep(deferred('provider'), late, endMs - MINUTE_MS, 0.5)).toMatchObject({ atMs: endMs });
    expect(nextStep(deferred('provider', endMs + 1), first, PUT_AT_MS, 0.5)).toMatchObject({ atMs: endMs });
    expect(nextStep(deferred('provider'), late, endMs, 0.5)).toEqual({ kind: 'failed' });
  });

  test('never waits for less than half a second, or beyond the last attempt', () => {
    const moments = fc.record({
      deferrals: fc.nat(50),
      nowMs: fc.integer({ min: PUT_AT_MS, max: PUT_AT_MS + RETRY_FOR_MS - 1 }),
      retryAtMs: fc.option(fc.integer({ min: 0, max: 2 * PUT_AT_MS }), { nil: undefined }),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    holdsForAll(moments, ({ deferrals, nowMs, retryAtMs, random }) => {
      const step = nextStep(deferred('provider', retryAtMs), { ...first, deferrals }, nowMs, random);
      const endMs = Math.max(PUT_AT_MS + RETRY_FOR_MS, nowMs + 1_000);
      const waitsWell = step.kind === 'retry' && step.atMs >= Math.min(nowMs + 500, endMs) && step.atMs <= endMs;
      expect(waitsWell).toBe(true);
    });
  });
});

test('a mail that mailboxes defer gets five attempts, minutes apart, and each counts', () => {
  const steps = [1, 2, 3, 4, 5].map((attempts) =>
    nextStep(deferred('mailboxes'), { ...first, attempts }, PUT_AT_MS, 0.3),
  );
  expect(steps).toEqual([
    { kind: 'retry', atMs: PUT_AT_MS + MINUTE_MS, attempts: 1 },
    { kind: 'retry', atMs: PUT_AT_MS + 5 * MINUTE_MS, attempts: 2 },
    { kind: 'retry', atMs: PUT_AT_MS + 15 * MINUTE_MS, attempts: 3 },
    { kind: 'retry', atMs: PUT_AT_MS + 15 * MINUTE_MS, attempts: 4 },
    { kind: 'failed' },
  ]);
});
