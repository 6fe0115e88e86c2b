import { expect, test } from 'vitest';
import { suppressionOf } from '../../../lambda/recipients/suppression.ts';

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

test('what is soft, undetermined, not understood or itself the result of a suppression decides nothing', () => {
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

test('the newest row that decides counts: a decision to allow ends the search', () => {
  const [hard, allowed] = [row('bounced', { bounceClass: 'hard' }), row('allowed')];
  expect(suppressionOf([allowed, hard])).toBe('allowed');
  expect(suppressionOf([hard, allowed])).toMatchObject({ by: 'bounce' });
  expect(suppressionOf([])).toBe('undecided');
});
