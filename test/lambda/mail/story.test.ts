import { expect, test } from 'vitest';
import { handedOverAt, inOrder, recipientsOf, stateAt, statesOf, timeOf } from '../../../lambda/mail/story.ts';

const event = (state: string, recipient: string, time = '2026-11-24T10:00:00.000Z') => ({
  entry: `event#${time}#${state}`,
  state,
  recipient,
});

test('a recipient’s state is that of the highest-ranked event, in any order of arrival, and names the event', () => {
  const events = [
    event('complained', 'a@x.jp'),
    event('delivered', 'A@x.jp'),
    event('bounced', 'c@x.jp'),
    event('failed', 'c@x.jp'),
  ];
  const recipients = [{ email: 'A@x.jp', name: 'A', field: 'to' } as const, { email: 'b@x.jp', field: 'bcc' } as const];
  expect(statesOf(recipients, events)).toEqual([
    { email: 'A@x.jp', name: 'A', field: 'to', state: 'complained', event: events[0] },
    { email: 'b@x.jp', field: 'bcc', state: 'sent' },
    { email: 'c@x.jp', state: 'bounced', event: events[2] },
  ]);
});

test('the later of two events with the same state counts', () => {
  const later = event('deferred', 'a@x.jp', '2026-11-24T11:00:00.000Z');
  expect(statesOf([], [later, event('deferred', 'a@x.jp')])).toEqual([
    { email: 'a@x.jp', state: 'deferred', event: later },
  ]);
});

test('each state overrides those before it, and none after it', () => {
  const states = ['queued', 'deferred', 'delivered', 'failed', 'dropped', 'bounced', 'complained'];
  states.forEach((state, rank) => {
    for (const [otherRank, other] of states.entries()) {
      // The other event comes later.
      const events = [event(state, 'a@x.jp'), event(other, 'a@x.jp', '2026-11-24T11:00:00.000Z')];
      expect(statesOf([], events)[0]?.state).toBe(rank > otherRank ? state : other);
    }
  });
});

test('an unknown state changes nothing', () => {
  const unknown = event('opened', 'a@x.jp');
  expect(statesOf([{ email: 'a@x.jp', field: 'to' }], [unknown])).toEqual([
    { email: 'a@x.jp', field: 'to', state: 'sent' },
  ]);
});

test('an event without a recipient has a state of its own', () => {
  const { recipient: _, ...nobody } = event('bounced', '');
  expect(statesOf([], [nobody])).toEqual([{ email: '', state: 'bounced', event: nobody }]);
});

test('the handover is shown at the time of the log row, or of the first event if that is earlier', () => {
  const sentAt = '2026-11-24T10:00:00.000Z';
  const at = (...times: string[]) => times.map((time) => ({ entry: `event#${time}#1` }));
  expect(handedOverAt(sentAt, [])).toBe(sentAt);
  expect(handedOverAt(sentAt, at('undated'))).toBe(sentAt);
  expect(handedOverAt(sentAt, at('2026-11-24T10:00:01.000Z'))).toBe(sentAt);
  expect(handedOverAt(sentAt, at('undated', '2026-11-24T09:59:58.000Z', '2026-11-24T09:59:59.000Z'))).toBe(
    '2026-11-24T09:59:58.000Z',
  );
});

test('the recipients of a row are each named once, with the first field that names them', () => {
  expect(
    recipientsOf({
      to: '[{"email":"a@x.jp","name":"A"}]',
      cc: 'B@x.jp, A@x.jp',
      bcc: ['c@x.jp', 'b@x.jp', 'no address'],
    }),
  ).toEqual([
    { email: 'a@x.jp', name: 'A', field: 'to' },
    { email: 'B@x.jp', field: 'cc' },
    { email: 'c@x.jp', field: 'bcc' },
  ]);
});

test('events are sorted by time; within a second, in the order in which they must have happened', () => {
  const undated = { entry: 'event#undated#1', state: 'queued' };
  const ordered = [
    event('queued', 'a@x.jp'),
    event('delivered', 'a@x.jp'),
    event('deferred', 'a@x.jp', '2026-11-24T11:00:00.000Z'),
    event('complained', 'a@x.jp', '2026-11-25T10:00:00.000Z'),
    undated,
  ];
  expect(inOrder(ordered.toReversed())).toEqual(ordered);
  expect(ordered.map(timeOf)).toEqual([
    '2026-11-24T10:00:00.000Z',
    '2026-11-24T10:00:00.000Z',
    '2026-11-24T11:00:00.000Z',
    '2026-11-25T10:00:00.000Z',
    undefined,
  ]);
});

test('a message without an event counts as no news only after the set time', () => {
  const sentAt = '2026-11-24T10:00:00.000Z';
  const nowMs = Date.parse(sentAt) + 4 * 3_600_000;
  expect(stateAt('sent', sentAt, nowMs, 4)).toBe('sent');
  expect(stateAt('sent', sentAt, nowMs + 1, 4)).toBe('no-news');
  expect(stateAt('sent', sentAt, nowMs + 1, 5)).toBe('sent');
  expect(stateAt('queued', sentAt, nowMs + 1, 4)).toBe('queued');
  expect(stateAt('sent', undefined, nowMs, 4)).toBe('sent');
});
