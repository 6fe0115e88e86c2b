import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FailureEvent } from '../../../lambda/mail/event.ts';
import { OUTCOMES } from '../../../lambda/mail/verdict.ts';
import { failureEvent } from '../../../lambda/publishing/failure-event.ts';
import { blocklistedRow, bounceRow, unrecognizedRow } from '../../../lambda/recording/rows.ts';
import { anyJson, anyText, holdsForAll } from '../mail/property.ts';

type Row = Readonly<Record<string, unknown>>;

const failure: FailureEvent = {
  kind: 'failure',
  state: 'bounced',
  provider: 'sendgrid',
  messageIds: ['id'],
  fullMessageId: 'id.recvd-1',
  eventId: 'event',
  recipient: 'a@example.com',
  reason: '550 5.1.1 no such user',
  timestamp: 1_795_534_193,
  event: 'bounce',
  type: 'bounce',
  classification: {
    outcome: 'bounced',
    bounceClass: 'hard',
    cause: 'address-unknown',
    smtpCode: '550',
    enhancedStatusCode: '5.1.1',
  },
  details: { ip: '149.72.0.1' },
};
const mail = { messageId: 'id', mailId: 'order-1', from: undefined, recipients: [], subject: 'Subject' };
const at = (receivedAtMs: number) => ({ receivedAtMs, retentionDays: 180 });
const stored = (row: object): Row => JSON.parse(JSON.stringify(row));
const unmatched = stored(bounceRow(failure, undefined, at(1_795_534_200_000)));
const matched = stored(bounceRow(failure, mail, at(1_795_534_200_000)));
const later = (row: Row): Row => ({
  ...row,
  receivedAt: '2026-11-25T00:00:00.000Z',
  expiresAt: 1,
  day: '2026-11-25#1',
});

const published = (oldRow: Row | undefined, row: Row | undefined) => failureEvent({ oldRow, row }, 'Todoke');
const detailOf = (row: Row) => JSON.parse(published(undefined, row)?.detail ?? expect.unreachable());

describe('a row is published', () => {
  test('when it is new, without its details and with the name of the stack', () => {
    const { details: _, ...row } = matched;
    expect(published(undefined, matched)).toMatchObject({ source: 'todoke', detailType: 'Mail Bounced' });
    expect(detailOf(matched)).toEqual({ stackName: 'Todoke', ...row });
  });

  test('once more when it becomes matched', () => {
    expect(published(unmatched, matched)?.detailType).toBe('Mail Bounced');
    expect(published(unmatched, later(matched))).toBeDefined();
  });

  test.each([
    ['dropped', 'Mail Dropped'],
    ['failed', 'Mail Failed'],
    ['complained', 'Mail Complained'],
  ])('%s, as %s', (outcome, detailType) => {
    expect(published(undefined, { ...unmatched, outcome })?.detailType).toBe(detailType);
  });

  test('for a recipient that was left out', () => {
    const row = { ...matched, outcome: 'dropped', type: 'suppressed' };
    expect(published(undefined, row)?.detailType).toBe('Mail Dropped');
  });

  test('when an event is unrecognized, without the event itself; and when it is recognized later', () => {
    const event = {
      kind: 'unrecognized',
      provider: 'sendgrid',
      fullMessageId: 'id',
      eventId: 'e',
      rawEvent: '{}',
    } as const;
    const row = stored(unrecognizedRow(event, at(0)));
    expect(published(undefined, row)).toMatchObject({ detailType: 'Event Unrecognized' });
    expect(detailOf(row)).not.toHaveProperty('rawEvent');
    expect(published(row, unmatched)?.detailType).toBe('Mail Bounced');
  });
});

describe('nothing is published', () => {
  test.each<[string, Row | undefined, Row | undefined]>([
    ['for a repeated post of an unmatched failure', unmatched, later(unmatched)],
    ['for a repeated post of a matched failure', matched, later(matched)],
    ['when a late write puts a row back', matched, unmatched],
    ['when that row is joined again', unmatched, { ...matched, rejoined: true }],
    ['when a row expires or is erased', matched, undefined],
    ['when an unmatched row expires', unmatched, undefined],
    ['when an unrecognized event expires', { ...unmatched, outcome: 'unrecognized' }, undefined],
    ['for a block list change', undefined, stored(blocklistedRow({ ...failure, kind: 'blocklisted' }, at(0)))],
    ['for a decision to suppress an address', undefined, { ...matched, outcome: 'suppressed' }],
    ['for a decision to allow an address', undefined, { ...matched, outcome: 'allowed' }],
    ['for an invalid outcome', undefined, { ...matched, outcome: 'constructor' }],
  ])('%s', (_, oldRow, row) => {
    expect(published(oldRow, row)).toBeUndefined();
  });

  test('for any failure whose row is written again unchanged', () => {
    const anyRow = fc.record(
      {
        outcome: fc.constantFrom(...OUTCOMES, 'unrecognized', 'blocklisted', 'suppressed', 'allowed'),
        matched: fc.oneof(fc.boolean(), anyJson),
        reason: anyText,
        rejoined: anyJson,
      },
      { requiredKeys: [] },
    );
    holdsForAll(anyRow, (row) => expect(published(row, later(row))).toBeUndefined());
  });
});

describe('a published event', () => {
  const anyRow = fc
    .tuple(fc.dictionary(anyText, anyJson), fc.constantFrom(...OUTCOMES), anyText, anyText, anyText)
    .map(([more, outcome, fullMessageId, eventId, reason]) => ({
      ...more,
      outcome,
      fullMessageId,
      eventId,
      // Long enough to make most rows too large.
      reason: reason.repeat(3_000),
      subject: reason.repeat(50),
    }));

  test('of any row is JSON of at most 25,000 bytes that names the row, so that ten fit into a request', () => {
    holdsForAll(anyRow, (row) => {
      const { detail = '' } = published(undefined, row) ?? {};
      expect(Buffer.byteLength(detail)).toBeLessThanOrEqual(25_000);
      const { fullMessageId, eventId, outcome } = row;
      expect(JSON.parse(detail)).toMatchObject({ stackName: 'Todoke', fullMessageId, eventId, outcome });
    });
  });

  test('of a long row is shortened, and says so', () => {
    const row = { ...matched, reason: '550 あ'.repeat(10_000), subject: 'S'.repeat(500) };
    expect(detailOf(row)).toMatchObject({
      shortened: true,
      reason: row.reason.slice(0, 2_000),
      subject: row.subject,
      toEmail: 'a@example.com',
    });
  });

  test.each([
    ['a set', new Set(['x'.repeat(100_000)])],
    ['binary', new Uint8Array(100_000)],
    ['a number of many digits', '9'.repeat(38)],
    ['a list', Array.from({ length: 9_000 }, () => 'x'.repeat(9))],
    ['a text', 'x'.repeat(100_000)],
  ])('of a row in which somebody put %s into any attribute still fits', (_, value) => {
    const names = Object.keys(matched).filter(
      (name) => !['fullMessageId', 'eventId', 'outcome', 'occurredAt'].includes(name),
    );
    for (const name of [...names, 'more']) {
      const { detail = '' } = published(undefined, { ...matched, [name]: value }) ?? {};
      expect(Buffer.byteLength(detail), name).toBeLessThanOrEqual(25_000);
      expect(JSON.parse(detail)).toMatchObject({ fullMessageId: matched['fullMessageId'], outcome: 'bounced' });
      if (name === 'more') {
        expect(JSON.parse(detail)).toMatchObject({ occurredAt: matched['occurredAt'], matched: true });
      }
    }
  });

  test('still names the row with the largest keys, in the characters that are longest in JSON', () => {
    const row = { ...unmatched, fullMessageId: '\u0001'.repeat(2_048), eventId: '\u0001'.repeat(1_024) };
    const whole = { ...row, reason: '\u0001'.repeat(100_000), fromEmail: '\u0001'.repeat(100_000) };
    expect(detailOf(whole)).toEqual({
      stackName: 'Todoke',
      fullMessageId: row.fullMessageId,
      eventId: row.eventId,
      outcome: 'bounced',
      occurredAt: unmatched['occurredAt'],
      matched: false,
      shortened: true,
    });
    expect(Buffer.byteLength(published(undefined, whole)?.detail ?? '')).toBeLessThanOrEqual(25_000);
  });
});
