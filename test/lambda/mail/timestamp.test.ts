import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { usableTimestamp, zonedTimestamp } from '../../../lambda/mail/timestamp.ts';
import { anyJson, anyText, holdsForAll } from './property.ts';

describe('a time is Unix seconds', () => {
  test.each<[string, unknown, number | undefined]>([
    ['seconds', 1513299569, 1513299569],
    ['seconds as text', '1513299569', 1513299569],
    ['seconds as text between spaces', ' 1513299569\n', 1513299569],
    ['milliseconds', 1513299569123, 1513299569],
    ['milliseconds as text', '1513299569999', 1513299569],
    ['fractional seconds', 1513299569.987, 1513299569],
    ['fractional seconds as text', '1513299569.987', 1513299569],
    ['fractional milliseconds', 1513299569123.5, 1513299569],
    ['the first second', 1, 1],
    ['the last number that is taken for seconds', 99_999_999_999, 99_999_999_999],
    ['the first number that is taken for milliseconds', 100_000_000_000, 100_000_000],
    ['the last second of the year 9999 in milliseconds', 253_402_300_799_999, 253_402_300_799],
    ['the year 10000', 253_402_300_800_000, undefined],
    ['microseconds', 1513299569123456, undefined],
    ['zero', 0, undefined],
    ['less than a second', 0.5, undefined],
    ['a negative number', -1513299569, undefined],
    ['a huge number', 1e300, undefined],
    ['not a number', Number.NaN, undefined],
    ['infinity', Number.POSITIVE_INFINITY, undefined],
    ['infinity as text', 'Infinity', undefined],
    ['nothing', undefined, undefined],
    ['null', null, undefined],
    ['empty text', '', undefined],
    ['spaces', '  ', undefined],
    ['a date', '2023-01-25T05:03:06Z', undefined],
    ['words', 'yesterday', undefined],
    ['true', true, undefined],
    ['a list', [1513299569], undefined],
    ['an object', { seconds: 1513299569 }, undefined],
  ])('from %s', (_, sent, seconds) => {
    expect(usableTimestamp(sent)).toBe(seconds);
  });

  test('that a Date can hold, or undefined', () => {
    holdsForAll(fc.oneof(anyJson, anyText, fc.double(), fc.double().map(String)), (sent) => {
      const seconds = usableTimestamp(sent) ?? 1;
      expect(Number.isInteger(seconds)).toBe(true);
      expect(new Date(seconds * 1000).toISOString()).toMatch(/^\d{4}-/);
    });
  });
});

/** What a wall clock shows in a time zone. */
function wallClock(atMs: number, timeZone: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return format.format(atMs);
}

describe('a wall-clock time in a time zone', () => {
  test.each([
    ['Asia/Tokyo', '2023-01-25 14:03:06', '2023-01-25T05:03:06Z'],
    ['Asia/Tokyo', '2023-07-01 00:00:00', '2023-06-30T15:00:00Z'],
    ['UTC', '2023-01-25 14:03:06', '2023-01-25T14:03:06Z'],
    ['Asia/Kolkata', '2023-01-25 14:03:06', '2023-01-25T08:33:06Z'],
    ['Pacific/Kiritimati', '2023-01-25 14:03:06', '2023-01-25T00:03:06Z'],
    ['Etc/GMT+12', '2023-01-25 14:03:06', '2023-01-26T02:03:06Z'],
    ['UTC', '2024-02-29 23:59:59', '2024-02-29T23:59:59Z'],
    // Clocks go forward from 2:00 to 3:00.
    ['America/New_York', '2023-03-12 01:59:59', '2023-03-12T06:59:59Z'],
    ['America/New_York', '2023-03-12 03:00:00', '2023-03-12T07:00:00Z'],
    // Clocks go back from 2:00 to 1:00.
    ['America/New_York', '2023-11-05 00:59:59', '2023-11-05T04:59:59Z'],
    ['America/New_York', '2023-11-05 02:00:00', '2023-11-05T07:00:00Z'],
    // Clocks go forward from 1:00 to 2:00.
    ['Europe/London', '2023-03-26 00:59:59', '2023-03-26T00:59:59Z'],
    ['Europe/London', '2023-03-26 02:00:00', '2023-03-26T01:00:00Z'],
    // Clocks go back from 2:00 to 1:00.
    ['Europe/London', '2023-10-29 00:59:59', '2023-10-28T23:59:59Z'],
    ['Europe/London', '2023-10-29 02:00:00', '2023-10-29T02:00:00Z'],
    // Clocks go forward by half an hour at 2:00, and back by half an hour at 2:00.
    ['Australia/Lord_Howe', '2023-10-01 01:59:59', '2023-09-30T15:29:59Z'],
    ['Australia/Lord_Howe', '2023-10-01 02:30:00', '2023-09-30T15:30:00Z'],
    ['Australia/Lord_Howe', '2023-04-02 01:29:59', '2023-04-01T14:29:59Z'],
    ['Australia/Lord_Howe', '2023-04-02 02:00:00', '2023-04-01T15:30:00Z'],
    // A whole day was skipped.
    ['Pacific/Apia', '2011-12-29 23:59:59', '2011-12-30T09:59:59Z'],
    ['Pacific/Apia', '2011-12-31 00:00:00', '2011-12-30T10:00:00Z'],
  ])('%s %s is %s', (timeZone, shown, instant) => {
    expect(zonedTimestamp(shown, timeZone)).toBe(Date.parse(instant) / 1000);
  });

  test.each([
    ['America/New_York', '2023-11-05 01:30:00', '2023-11-05T05:30:00Z'],
    ['Europe/London', '2023-10-29 01:30:00', '2023-10-29T00:30:00Z'],
    ['Australia/Lord_Howe', '2023-04-02 01:45:00', '2023-04-01T14:45:00Z'],
  ])('%s %s occurs twice, and the first counts: %s', (timeZone, shown, instant) => {
    expect(zonedTimestamp(shown, timeZone)).toBe(Date.parse(instant) / 1000);
  });

  test.each([
    ['America/New_York', '2023-03-12 02:30:00', '2023-03-12T07:30:00Z'],
    ['Europe/London', '2023-03-26 01:30:00', '2023-03-26T01:30:00Z'],
    ['Australia/Lord_Howe', '2023-10-01 02:15:00', '2023-09-30T15:45:00Z'],
  ])('%s %s never occurs, and is read as if the clocks had not gone forward yet: %s', (timeZone, shown, instant) => {
    expect(zonedTimestamp(shown, timeZone)).toBe(Date.parse(instant) / 1000);
  });

  test.each([
    '',
    'yesterday',
    '2023-01-25',
    '2023-01-25T14:03:06',
    '2023-01-25 14:03:06Z',
    '2023-01-25 14:03:06.5',
    '2023-01-25  14:03:06',
    ' 2023-01-25 14:03:06',
    '2023-1-25 14:03:06',
    '2023-13-01 00:00:00',
    '2023-00-01 00:00:00',
    '2023-01-32 00:00:00',
    '2023-02-30 00:00:00',
    '2023-02-29 00:00:00',
    '2023-04-31 00:00:00',
    '2023-01-25 24:00:00',
    '2023-01-25 25:00:00',
    '2023-01-31 24:00:00',
    '0099-01-25 14:03:06',
    '2023-01-25 14:60:00',
    '2023-01-25 14:03:60',
    '0000-00-00 00:00:00',
    '1969-12-31 00:00:00',
    '２０２３-01-25 14:03:06',
  ])('%j is undefined', (text) => {
    expect(zonedTimestamp(text, 'UTC')).toBeUndefined();
  });

  test('around a change that is not at a quarter of an hour: Liberia, by 44 minutes and 30 seconds', () => {
    const liberia = (shown: string) => zonedTimestamp(shown, 'Africa/Monrovia');
    expect(liberia('1972-01-06 23:50:00')).toBe(Date.parse('1972-01-07T00:34:30Z') / 1000);
    expect(liberia('1972-01-07 00:44:40')).toBe(Date.parse('1972-01-07T00:44:40Z') / 1000);
  });

  test('in the far future is not taken for milliseconds', () => {
    expect(zonedTimestamp('9999-12-31 23:59:59', 'UTC')).toBe(Date.parse('9999-12-31T23:59:59Z') / 1000);
  });

  test.each(['Asia/Tokyo', 'America/New_York', 'Europe/London', 'Australia/Lord_Howe', 'UTC', 'America/Sao_Paulo'])(
    'in %s is a moment at which the clock showed it',
    (timeZone) => {
      const instant = fc.integer({ min: Date.UTC(1990, 0) / 1000, max: Date.UTC(2040, 0) / 1000 });
      holdsForAll(instant, (seconds) => {
        const shown = wallClock(seconds * 1000, timeZone);
        const read = zonedTimestamp(shown, timeZone) ?? 0;
        expect(wallClock(read * 1000, timeZone)).toBe(shown);
        // If the clock showed it twice, the first moment counts.
        expect(read).toBeLessThanOrEqual(seconds);
        expect(seconds - read).toBeLessThanOrEqual(3600);
      });
    },
  );
});
