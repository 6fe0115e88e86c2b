/** Writes JSON of values that are nested so deeply that JSON.stringify fails, and JSON with sorted keys. */

/**
 * JSON of any value that JSON.parse returns. At some thousand levels JSON.stringify overflows the stack, and JSON.parse
 * does not.
 */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return writeJson(value, (object) => Object.entries(object));
  }
}

/** JSON with the keys of every object sorted, so that equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  return writeJson(value, (object) => Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Without recursion: an explicit stack holds texts to write, and values in a box. */
function writeJson(value: unknown, entriesOf: (object: object) => [string, unknown][]): string {
  const written: string[] = [];
  const waiting: (string | { readonly value: unknown })[] = [{ value }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next === 'string') written.push(next);
    else if (typeof next.value !== 'object' || next.value === null) written.push(JSON.stringify(next.value) ?? 'null');
    else for (const part of partsOf(next.value, entriesOf).reverse()) waiting.push(part);
  }
  return written.join('');
}

function partsOf(value: object, entriesOf: (object: object) => [string, unknown][]) {
  const list = Array.isArray(value);
  const parts: (string | { readonly value: unknown })[] = [list ? '[' : '{'];
  const entries: [string, unknown][] = list ? value.map((part) => ['', part]) : entriesOf(value);
  for (const [index, [key, part]] of entries.entries()) {
    parts.push(`${index === 0 ? '' : ','}${list ? '' : `${JSON.stringify(key)}:`}`, { value: part });
  }
  parts.push(list ? ']' : '}');
  return parts;
}
