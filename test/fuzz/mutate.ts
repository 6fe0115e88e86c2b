/** A small generator of random numbers, so that a run can be repeated by its seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Random = () => number;

export const pick = <Item>(items: readonly Item[], random: Random): Item =>
  items[Math.floor(random() * items.length)] as Item;

/** Values that often make parsers fail. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  '',
  ' ',
  0,
  -1,
  1e308,
  -0,
  9_007_199_254_740_992,
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '__proto__',
  'constructor',
  [],
  {},
  [[]],
  'x'.repeat(3_000),
  '漢'.repeat(900),
  '1600112502',
  1_600_112_502_123,
  1600112502.5,
  '1e3',
  'NaN',
  '\\u003Ca@b\\u003E',
  '2023-01-25 14:03:06',
  '2023-13-45 99:99:99',
  '5.1.1',
  '550',
  '550 5.1.1',
  '<>',
  '@',
  'a@b',
  { toString: 'x', valueOf: 1 },
];

/** A value with some of its parts replaced, removed, repeated or moved. */
export function mutateValue(value: unknown, random: Random, depth = 0): unknown {
  if (random() < 0.08) return pick(STRANGE, random);
  if (random() < 0.005) return nested(value, Math.floor(random() * 3_000));
  if (Array.isArray(value)) {
    const kept = value.filter(() => random() > 0.03).map((part) => mutateValue(part, random, depth + 1));
    return random() < 0.1 && kept.length > 0 ? [...kept, ...kept] : kept;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(() => random() > 0.06)
      .map(([name, part]) => [random() < 0.02 ? strangeName(random) : name, mutateValue(part, random, depth + 1)]);
    if (random() < 0.1) entries.push([strangeName(random), pick(STRANGE, random)]);
    return Object.fromEntries(entries);
  }
  return typeof value === 'string' && random() < 0.2 ? mutateText(value, random) : value;
}

function nested(value: unknown, levels: number): unknown {
  let whole = value;
  for (let level = 0; level < levels; level++) whole = level % 2 ? { a: whole } : [whole];
  return whole;
}

/** A text with some of its characters changed, cut out or repeated. */
export function mutateText(text: string, random: Random): string {
  const at = Math.floor(random() * (text.length + 1));
  const length = Math.floor(random() * 8);
  switch (Math.floor(random() * 4)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode(Math.floor(random() * 0x10000)) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.slice(at + length);
    case 2:
      return text.slice(0, at) + text.slice(at, at + length).repeat(3) + text.slice(at);
    default:
      return (
        text.slice(0, at) + pick(['"', '{', '}', '[', ']', ',', '\\', '\r\n', '%', '&', '='], random) + text.slice(at)
      );
  }
}

/** JSON of a value with some keys repeated. JSON.parse accepts repeated keys. */
export function jsonWithRepeatedKeys(value: unknown, random: Random): string {
  const text = JSON.stringify(value) ?? 'null';
  return random() < 0.05 ? text.replace(/\{("[^"]*":)/g, '{$1null,$1') : text;
}

function strangeName(random: Random): string {
  const value = pick(STRANGE, random);
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
