/** Reads times as the providers write them. */

/** The end of the year 9999, the last year with four digits in ISO 8601. Unix seconds. */
const LAST_SECOND = 253_402_300_799;
/** A number from here on is read as milliseconds. As seconds it would be in the year 5138 or later. */
const FIRST_MILLISECOND = 100_000_000_000;

/**
 * Unix seconds from what a provider sent: whole or fractional seconds or milliseconds, as a number or as text.
 *
 * @returns whole seconds; undefined if the value is not a time
 */
export function usableTimestamp(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number !== 'number') return undefined;
  return withinIsoYears(Math.floor(number >= FIRST_MILLISECOND ? number / 1000 : number));
}

/** Undefined if the time is not plausible, also for NaN. */
function withinIsoYears(seconds: number): number | undefined {
  return seconds >= 1 && seconds <= LAST_SECOND ? seconds : undefined;
}

/**
 * Unix seconds of a wall-clock time in a time zone.
 *
 * When the clocks go back, a wall-clock time occurs twice. The first one counts. When they go forward, some wall-clock
 * times do not occur. These are read with the offset from before the change.
 *
 * @param wallClock `YYYY-MM-DD HH:mm:ss`
 * @param timeZone an IANA name
 * @returns undefined if `wallClock` is not a time of this form
 */
export function zonedTimestamp(wallClock: string, timeZone: string): number | undefined {
  const asIfUtcMs = utcMs(wallClock);
  if (asIfUtcMs === undefined) return undefined;
  const format = formatOf(timeZone);
  // The offset of a day before and of a day after. Around a change they differ, and one of them is right.
  const before = offsetMs(asIfUtcMs - DAY_MS, format);
  const early = asIfUtcMs - before;
  if (offsetMs(early, format) === before) return withinIsoYears(early / 1000);
  const after = offsetMs(asIfUtcMs + DAY_MS, format);
  const late = asIfUtcMs - after;
  return withinIsoYears((offsetMs(late, format) === after ? late : early) / 1000);
}

/** Unix milliseconds of the time in UTC. */
function utcMs(time: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(time)) return undefined;
  const iso = `${time.replace(' ', 'T')}.000Z`;
  const ms = Date.parse(iso);
  // Date.parse reads the 30th of February as a day in March.
  return !Number.isNaN(ms) && new Date(ms).toISOString() === iso ? ms : undefined;
}

const DAY_MS = 86_400_000;
/** By time zone. Cached, because making a format takes long. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset', year: 'numeric' });
  formats.set(timeZone, format);
  return format;
}

/** How far a zone's clocks are ahead of UTC at a moment. */
function offsetMs(atMs: number, format: Intl.DateTimeFormat): number {
  const text = format.format(atMs); // 2026, GMT+09:00
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(text) ?? [];
  const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -size : size;
}
