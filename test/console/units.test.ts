import { describe, expect, test } from 'vitest';
import { toCsv } from '../../console/page/csv.ts';
import { add, emptyPages, replace } from '../../console/page/pages.ts';
import { en } from '../../console/page/words/en.ts';
import { fill } from '../../console/page/words/fill.ts';
import { ja } from '../../console/page/words/ja.ts';
import { figures } from '../../console/server/overview.ts';
import { WaitingItems } from '../../console/server/waiting.ts';
import { bounce } from '../../console/shared/api.ts';
import { withoutFirstNotices } from '../../console/shared/first-notices.ts';
import { problemsOf } from '../../console/shared/new-mail.ts';
import { CAUSES } from '../../lambda/mail/verdict.ts';

const blanks = (text: string) => text.match(/\{\w+/g)?.toSorted() ?? [];

test('a count has the singular or plural word', () => {
  const text = '{n row|rows} of {table}';
  expect(fill(text, { n: 1, table: 'Bounce' })).toBe('1 row of Bounce');
  expect(fill(text, { n: '1,000', table: 'Bounce' })).toBe('1,000 rows of Bounce');
  expect(fill(text, { n: 0, table: 'Bounce' })).toBe('0 rows of Bounce');
});

test('both languages have the same texts, with the same placeholders, and none is empty', () => {
  expect(Object.keys(ja).toSorted()).toEqual(Object.keys(en).toSorted());
  for (const [word, text] of Object.entries(en)) {
    const translated = new Map(Object.entries(ja)).get(word) ?? '';
    expect(blanks(translated), word).toEqual(blanks(text));
    expect(translated, word).not.toBe('');
  }
});

test('each cause has a word in both languages', () => {
  for (const words of [en, ja]) for (const cause of CAUSES) expect(words).toHaveProperty(`cause_${cause}`);
});

describe('the problems of a new mail', () => {
  const mail = { provider: 'sendgrid', from: 'a@example.com', to: ['b@example.jp'], subject: 's', content: 'c' };

  test('a complete mail has none', () => {
    expect(problemsOf(mail)).toEqual({});
    expect(problemsOf({ ...mail, to: ['B <b@example.jp>, c@example.jp', '', 'd@example.jp'] })).toEqual({});
  });

  test('each problem is named at its field', () => {
    expect(problemsOf({ ...mail, to: [''] })).toEqual({ to: { code: 'missing' } });
    expect(problemsOf({ ...mail, to: ['b@example.jp', 'c'] })).toEqual({ to: { code: 'notAddress', value: 'c' } });
    expect(problemsOf({ ...mail, from: 'a@example.com, b@example.com' })).toEqual({ from: { code: 'oneAddress' } });
    expect(problemsOf({ ...mail, to: ['b\u200b@example.jp'] })).toEqual({
      to: { code: 'notAddress', value: 'b<U+200B>@example.jp' },
    });
    const many = Array.from({ length: 1_001 }, (_, n) => `${n}@example.jp`);
    expect(problemsOf({ ...mail, to: many })).toEqual({ to: { code: 'tooMany', value: '1000' } });
    expect(problemsOf({ ...mail, provider: 'x', subject: ' ', content: '' })).toEqual({
      provider: { code: 'unknown', value: 'x' },
      subject: { code: 'missing' },
      content: { code: 'missing' },
    });
  });
});

test('an item is stuck after it was seen without a status for a minute', () => {
  const items = new WaitingItems();
  const see = (nowMs: number, isWaiting = true, resentAt?: string) =>
    items.see('order', { isWaiting, resentAt }, nowMs);
  expect([see(0), see(59_999), see(60_000), see(90_000)]).toEqual([false, false, true, true]);
  // After it is sent again, or its status is deleted, the minute starts again.
  expect([see(91_000, true, 'now'), see(150_999, true, 'now'), see(151_000, true, 'now')]).toEqual([
    false,
    false,
    true,
  ]);
  expect([see(152_000, false, 'now'), see(300_000, true, 'now'), see(359_999, true, 'now')]).toEqual([
    false,
    false,
    false,
  ]);
});

test('items that are no longer shown are forgotten', () => {
  const items = new WaitingItems();
  items.see('kept', { isWaiting: true }, 0);
  items.see('forgotten', { isWaiting: true }, 0);
  items.see('kept', { isWaiting: true }, 1);
  for (let n = 0; n < 9_999; n++) items.see(`other-${n}`, { isWaiting: true }, 1);
  expect(items.see('kept', { isWaiting: true }, 60_000)).toBe(true);
  expect(items.see('forgotten', { isWaiting: true }, 60_000)).toBe(false);
});

test('the first notice of a failure is left out only if a bounce follows it', () => {
  const bounced = { fullMessageId: 'm#a', outcome: 'bounced' };
  const alone = { fullMessageId: 'm#b', outcome: 'failed' };
  expect(withoutFirstNotices([bounced, { fullMessageId: 'm#a', outcome: 'failed' }, alone])).toEqual([bounced, alone]);
});

describe('the list of rows', () => {
  const kind = { key: (row: { id: string; at: string }) => row.id, time: (row: { id: string; at: string }) => row.at };
  const row = (n: number) => ({ id: `${n}`, at: String(10_000 - n).padStart(5, '0') });
  const old = add(
    emptyPages<{ id: string; at: string }>(),
    Array.from({ length: 300 }, (_, n) => row(n)),
    kind,
  );

  test('a new row goes to its place, and changes no other page', () => {
    const next = add(old, [{ id: 'new', at: row(130).at }, row(5)], kind);
    expect(next.count).toBe(301);
    expect(next.pages.flat().map(kind.time)).toEqual(next.pages.flat().map(kind.time).toSorted().toReversed());
    expect(next.pages.filter((page, at) => page !== old.pages[at])).toHaveLength(1);
  });

  test('a known row changes nothing, and an older row goes to the end', () => {
    expect(add(old, [row(7)], kind)).toBe(old);
    expect(
      add(old, [row(400)], kind)
        .pages.flat()
        .at(-1),
    ).toEqual(row(400));
  });

  test('reloaded rows replace the rows of their period, and no others', () => {
    const times = { after: row(160).at, until: row(150).at };
    const next = replace(old, [row(150), { id: 'late', at: row(153).at }, row(159)], kind, times);
    const ids = next.pages.flat().map(({ id }) => id);
    expect(ids.slice(148, 155)).toEqual(['148', '149', '150', 'late', '159', '160', '161']);
    expect([next.count, next.known.size]).toEqual([293, 293]);
    expect(replace(old, [row(0), row(1)], kind, { after: row(2).at })).toBe(old);
    expect(replace(old, [], kind, { after: row(2).at }).count).toBe(298);
  });
});

test('a cell that a spreadsheet would run as a formula becomes text', () => {
  const rows = ['=1+1', '+1', '-1', '@a', '\t=1', '\r=1', ' =1', '=1', '|cmd'].map((reason, n) =>
    bounce.parse({ fullMessageId: `${n}`, eventId: 'e', reason }),
  );
  for (const line of toCsv(rows).split('\r\n').slice(1, -1)) expect(line).toMatch(/"'[^"]*"/);
  expect(toCsv([bounce.parse({ fullMessageId: 'f', eventId: 'e', reason: 'a "b", c' })])).toContain('"a ""b"", c"');
  const [head = '', line = ''] = toCsv([bounce.parse({ fullMessageId: 'f', eventId: 'e', cause: 'spam' })]).split(
    '\r\n',
  );
  expect(line.split(',')[head.split(',').indexOf('"cause"')]).toBe('"spam"');
});

test('a failure that is reported twice counts once, a recipient counts once, and unmatched failures are not in a rate', () => {
  const edges = ['2026-01-01', '2026-01-02', '2026-01-03'].map((day) => `${day}T00:00:00.000Z`);
  const sentAt = '2026-01-01T10:00:00.000Z';
  const failure = { provider: 'sendgrid', matched: true, messageId: 'm', occurredAt: '2026-01-02T10:00:00.000Z' };
  const counted = figures(
    [
      {
        messageId: 'm',
        // The provider that the application logged, whichever provider reports the event.
        provider: 'customers-mail-cloud',
        sentAt,
        to: '[{"email":"a@x.jp"},{"email":"b@x.jp"},{"email":"c@y.jp"},{"email":"d@y.jp"}]',
      },
    ],
    [
      { ...failure, outcome: 'bounced', toEmail: 'a@x.jp' },
      { ...failure, outcome: 'bounced', toEmail: 'a@x.jp' },
      // A failure that is reported twice, one that is reported once, and one that was refused at the handover.
      { ...failure, outcome: 'failed', type: '', toEmail: 'b@x.jp', fullMessageId: 'm#b@x.jp' },
      { ...failure, outcome: 'bounced', type: '2', toEmail: 'b@x.jp', fullMessageId: 'm#b@x.jp' },
      { ...failure, outcome: 'failed', type: '', toEmail: 'd@y.jp', fullMessageId: 'm#d@y.jp' },
      { ...failure, outcome: 'failed', type: 'handover', toEmail: 'c@y.jp', fullMessageId: 'm#c@y.jp' },
      { ...failure, outcome: 'bounced', toEmail: 'z@x.jp', matched: false },
      { ...failure, outcome: 'bounced', toEmail: 'in-cc@x.jp' },
      { ...failure, outcome: 'bounced', toEmail: 'a@x.jp', messageId: 'of-an-earlier-time' },
      // A block list change concerns no mail.
      { outcome: 'blocklisted', provider: 'customers-mail-cloud', toEmail: 'a@x.jp', occurredAt: failure.occurredAt },
    ],
    edges,
  );
  expect(counted).toMatchObject({
    sent: [1, 0],
    outcomes: { bounced: [0, 6], dropped: [0, 0], failed: [0, 2] },
    domains: [
      { name: 'x.jp', sent: 2, bounced: 2 },
      { name: 'y.jp', sent: 2, bounced: 2 },
    ],
    providers: [{ name: 'customers-mail-cloud', sent: 4, bounced: 4 }],
    unmatched: 1,
  });
});
