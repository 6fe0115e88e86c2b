/** Times as the providers write them. */

/** The end of the year 9999, the last that an ISO 8601 time writes with four digits. Unix seconds. */
const LAST_SECOND = 253_402_300_799;
/** From here on a number is taken for milliseconds: as seconds it would be in the year 5138. */
const FIRST_MILLISECOND = 100_000_000_000;

/**
 * Unix seconds from what a provider sent: whole or fractional seconds or milliseconds, as a number or a string of one.
 *
 * @returns whole seconds, undefined for what is no time
 */
export function usableTimestamp(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number !== 'number') return undefined;
  return withinIsoYears(Math.floor(number >= FIRST_MILLISECOND ? number / 1000 : number));
}

/** Undefined for what is none: NaN is in no bounds. */
function withinIsoYears(seconds: number): number | undefined {
  return seconds >= 1 && seconds <= LAST_SECOND ? seconds : undefined;
}

/**
 * Unix seconds of a wall-clock time in a time zone.
 *
 * Of the two times that one wall-clock time has when the clocks go back, the first; a wall-clock time that is skipped
 * when they go forward counts as if they had not yet.
 *
 * @param wallClock `YYYY-MM-DD HH:mm:ss`
 * @param timeZone an IANA name
 * @returns undefined for what is no such time
 */
export function zonedTimestamp(wallClock: string, timeZone: string): number | undefined {
  const asIfUtcMs = utcMs(wallClock);
  if (asIfUtcMs === undefined) return undefined;
  const zone = zoneOf(timeZone);
  // The zone's offset is looked up a day before and after: around a change they differ, and one of them is right.
  const before = offsetMs(asIfUtcMs - DAY_MS, zone);
  const early = asIfUtcMs - before;
  if (offsetMs(early, zone) === before) return withinIsoYears(early / 1000);
  const after = offsetMs(asIfUtcMs + DAY_MS, zone);
  const late = asIfUtcMs - after;
  return withinIsoYears((offsetMs(late, zone) === after ? late : early) / 1000);
}

/** Unix milliseconds of the time in UTC. Without Date.parse, which takes the 30th of February for a day in March. */
function utcMs(time: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d [012]\d:[0-5]\d:[0-5]\d$/.test(time)) return undefined;
  const year = digitsAt(time, 0) * 100 + digitsAt(time, 2);
  const [month, day, hour] = [digitsAt(time, 5), digitsAt(time, 8), digitsAt(time, 11)];
  const ms = Date.UTC(year, month - 1, day, hour, digitsAt(time, 14), digitsAt(time, 17));
  // Date.UTC reads a year below 100 as one of the 20th century, and counts on what no month or day has.
  const date = new Date(ms);
  const isDate = year >= 100 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isDate ? ms : undefined;
}

/** The number that the two digits there are. */
function digitsAt(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48;
}

const DAY_MS = 86_400_000;
const QUARTER_MS = 900_000;
const MAX_OFFSETS = 10_000;

interface Zone {
  readonly format: Intl.DateTimeFormat;
  /** By quarter of an hour: to ask takes longer than all else that is done with an event. */
  readonly offsets: Map<number, number>;
}
const zones = new Map<string, Zone>();

function zoneOf(timeZone: string): Zone {
  let zone = zones.get(timeZone);
  if (!zone) {
    const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset', year: 'numeric' });
    zone = { format, offsets: new Map() };
    zones.set(timeZone, zone);
  }
  return zone;
}

/** How far a zone's clocks are ahead of UTC at a moment. */
function offsetMs(atMs: number, { format, offsets }: Zone): number {
  const quarter = Math.floor(atMs / QUARTER_MS);
  const known = offsets.get(quarter);
  if (known !== undefined) return known;
  const offset = lookUpOffsetMs(atMs, format);
  // Clocks seldom change within a quarter of an hour; then each moment of it is looked up.
  const [first, last] = [quarter * QUARTER_MS, (quarter + 1) * QUARTER_MS - 1000];
  if (lookUpOffsetMs(first, format) === offset && lookUpOffsetMs(last, format) === offset) {
    if (offsets.size >= MAX_OFFSETS) offsets.clear();
    offsets.set(quarter, offset);
  }
  return offset;
}

function lookUpOffsetMs(atMs: number, format: Intl.DateTimeFormat): number {
  const name = format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(name) ?? [];
  const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -size : size;
}
