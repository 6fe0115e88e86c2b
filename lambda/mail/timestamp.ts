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
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number) || number <= 0) return undefined;
  return withinIsoYears(Math.floor(number >= FIRST_MILLISECOND ? number / 1000 : number));
}

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
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(wallClock)) return undefined;
  const asIfUtcMs = Date.parse(`${wallClock.replace(' ', 'T')}Z`);
  // Date.parse takes the 30th of February for a day in March.
  if (Number.isNaN(asIfUtcMs) || new Date(asIfUtcMs).toISOString().slice(0, 10) !== wallClock.slice(0, 10))
    return undefined;
  // The zone's offset is looked up a day before and after: around a change they differ, and one of them is right.
  const before = offsetMs(asIfUtcMs - DAY_MS, timeZone);
  const early = asIfUtcMs - before;
  if (offsetMs(early, timeZone) === before) return withinIsoYears(early / 1000);
  const after = offsetMs(asIfUtcMs + DAY_MS, timeZone);
  const late = asIfUtcMs - after;
  return withinIsoYears((offsetMs(late, timeZone) === after ? late : early) / 1000);
}

const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** Offsets by zone and quarter of an hour: to ask takes longer than all else that is done with an event. */
const offsets = new Map<string, number>();
const QUARTER_MS = 900_000;
const MAX_OFFSETS = 10_000;

/** How far a zone's clocks are ahead of UTC at a moment. */
function offsetMs(atMs: number, timeZone: string): number {
  const quarter = Math.floor(atMs / QUARTER_MS);
  const key = `${timeZone} ${quarter}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  const offset = lookUpOffsetMs(atMs, timeZone);
  // Clocks seldom change within a quarter of an hour; then each moment of it is looked up.
  const [first, last] = [quarter * QUARTER_MS, (quarter + 1) * QUARTER_MS - 1000];
  if (lookUpOffsetMs(first, timeZone) === offset && lookUpOffsetMs(last, timeZone) === offset) {
    if (offsets.size >= MAX_OFFSETS) offsets.clear();
    offsets.set(key, offset);
  }
  return offset;
}

function lookUpOffsetMs(atMs: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset', year: 'numeric' });
    formats.set(timeZone, format);
  }
  const name = format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(name) ?? [];
  const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -size : size;
}
