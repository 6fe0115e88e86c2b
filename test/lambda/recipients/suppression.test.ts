import fc from 'fast-check';
import { expect, test } from 'vitest';
import { suppressedText, suppressionOf } from '../../../lambda/recipients/suppression.ts';

const row = (outcome: string, change: Readonly<Record<string, unknown>> = {}) => ({
  outcome,
  occurredAt: '2026-11-24T10:00:00.000Z',
  reason: `because of ${outcome}`,
  ...change,
});
const since = '2026-11-24T10:00:00.000Z';

test.each([
  ['a hard bounce', row('bounced', { bounceClass: 'hard' }), { since, reason: 'because of bounced', by: 'bounce' }],
  ['a hard failure of any kind', row('failed', { bounceClass: 'hard' }), { by: 'bounce' }],
  ['a hard drop', row('dropped', { bounceClass: 'hard' }), { by: 'bounce' }],
  ['a complaint', row('complained', { bounceClass: 'undetermined' }), { by: 'complaint' }],
  ['a decision', row('suppressed'), { by: 'decision' }],
])('%s suppresses', (_, deciding, expected) => {
  expect(suppressionOf([deciding])).toMatchObject(expected);
});

test('the text names the time, the kind of row, and its reason if there is one', () => {
  expect(suppressedText({ since, by: 'bounce', reason: '550 5.1.1' })).toBe(
    `suppressed since ${since} by a hard bounce: 550 5.1.1`,
  );
  expect(suppressedText({ since, by: 'complaint', reason: '' })).toBe(`suppressed since ${since} by a complaint`);
  expect(suppressionOf([{ outcome: 'suppressed' }])).toEqual({ since: '', reason: '', by: 'decision' });
});

test('rows that are soft, undetermined, unrecognized or the result of a suppression decide nothing', () => {
  const undecided = [
    row('bounced', { bounceClass: 'soft' }),
    row('bounced', { bounceClass: 'undetermined' }),
    row('unrecognized', { bounceClass: 'hard' }),
    row('dropped', { bounceClass: 'hard', type: 'suppressed' }),
    {},
  ];
  expect(suppressionOf(undecided)).toBe('undecided');
  expect(suppressionOf([...undecided, row('complained')])).toMatchObject({ by: 'complaint' });
});

test('the newest row that decides counts, and a decision to allow ends the search', () => {
  const [hard, allowed] = [row('bounced', { bounceClass: 'hard' }), row('allowed')];
  const older = { occurredAt: '2026-11-24T09:59:59.999Z' };
  expect(suppressionOf([allowed, { ...hard, ...older }])).toBe('allowed');
  expect(suppressionOf([hard, { ...allowed, ...older }])).toMatchObject({ by: 'bounce' });
  expect(suppressionOf([])).toBe('undecided');
});

test.each(['allowed', 'suppressed'])(
  'of rows of the same second, the decision counts, whatever their order: %s',
  (outcome) => {
    const rows = [row('bounced', { bounceClass: 'hard' }), row('complained'), row(outcome)];
    for (const order of [rows, rows.toReversed()]) {
      const suppression = suppressionOf(order);
      if (outcome === 'allowed') expect(suppression).toBe('allowed');
      else expect(suppression).toMatchObject({ by: 'decision' });
    }
  },
);

const anyRow = fc.record({
  outcome: fc.constantFrom(
    'bounced',
    'dropped',
    'failed',
    'complained',
    'suppressed',
    'allowed',
    'blocklisted',
    'other',
  ),
  bounceClass: fc.constantFrom('hard', 'soft', 'undetermined', undefined),
  type: fc.constantFrom('bounce', 'suppressed', undefined),
  occurredAt: fc.integer({ min: 0, max: 20 }).map((second) => new Date(second * 1000).toISOString()),
});

test('for any rows in any order, the newest one that decides counts, and the others change nothing', () => {
  fc.assert(
    fc.property(fc.array(anyRow), (rows) => {
      const deciding = rows.filter((one) => suppressionOf([one]) !== 'undecided');
      const time = deciding
        .map(({ occurredAt }) => occurredAt)
        .toSorted()
        .at(-1);
      const newest = deciding.filter(({ occurredAt }) => occurredAt === time);
      const suppression = suppressionOf(rows);
      expect(suppression).toEqual(suppressionOf(newest));
      expect(suppression === 'undecided').toBe(deciding.length === 0);
      const decisions = newest.filter(({ outcome }) => outcome === 'allowed' || outcome === 'suppressed');
      if (decisions.length > 0) expect(suppressionOf(decisions.slice(-1))).toEqual(suppression);
      // A decision that is newer than all rows takes precedence.
      const later = { occurredAt: '2026-11-24T10:00:00.000Z', outcome: 'allowed' };
      expect(suppressionOf([...rows, later])).toBe('allowed');
    }),
  );
});
