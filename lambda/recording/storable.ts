/** Shortens and converts what a provider sent, so that it fits DynamoDB's limits. */
import { jsonText } from '../mail/json.ts';
import { utf8Beginning } from './keys.ts';

/** DynamoDB refuses a row over 400 KB. These limits leave room for the other attributes. */
const TEXT_MAX_BYTES = 100_000;
const DETAILS_MAX_BYTES = 150_000;
export const RAW_EVENT_MAX_BYTES = 300_000;
/** In details that are too large, a text longer than this is cut. */
const DETAIL_TEXT_MAX_BYTES = 2_000;
/** DynamoDB allows 32 levels. */
const MAX_DEPTH = 16;
const MAX_FIELDS = 2_000;
const NAME_MAX_BYTES = 1_000;

/** A value that DynamoDB accepts, and whether a part of it was left out for that. */
export interface Storable<Value> {
  readonly value: Value;
  readonly shortened: boolean;
}

/** Well-formed text. A text of more than `maxBytes` is cut, and a note at its end says how long it was. */
export function storableText(text: string, maxBytes = TEXT_MAX_BYTES): Storable<string> {
  const value = text.toWellFormed();
  const bytes = Buffer.byteLength(value);
  if (bytes <= maxBytes) return { value, shortened: false };
  return { value: `${utf8Beginning(value, maxBytes)}… (shortened, ${bytes} bytes)`, shortened: true };
}

/** A short text, such as a subject: well-formed, and cut after 2,000 bytes. */
export function storableLine(text: string | undefined): string | undefined {
  return text === undefined ? undefined : storableText(text, DETAIL_TEXT_MAX_BYTES).value;
}

/** The other fields of an event as a map within DynamoDB's limits on size, depth, numbers and names. */
export function storable(fields: Readonly<Record<string, unknown>>): Storable<Record<string, unknown>> {
  const whole = new Walk(TEXT_MAX_BYTES);
  const value = whole.fields(fields, 1);
  if (whole.bytes <= DETAILS_MAX_BYTES) return { value, shortened: whole.shortened };
  const cut = new Walk(DETAIL_TEXT_MAX_BYTES);
  const shortValue = cut.fields(fields, 1);
  if (cut.bytes <= DETAILS_MAX_BYTES) return { value: shortValue, shortened: true };
  return { value: { json: storableText(jsonText(fields)).value }, shortened: true };
}

/** One pass over the fields. It counts their bytes approximately as DynamoDB does. */
class Walk {
  bytes = 0;
  shortened = false;
  readonly #textMaxBytes: number;

  constructor(textMaxBytes: number) {
    this.#textMaxBytes = textMaxBytes;
  }

  fields(fields: object, depth: number): Record<string, unknown> {
    const kept: Record<string, unknown> = {};
    let count = 0;
    for (const [name, value] of Object.entries(fields)) {
      if (++count > MAX_FIELDS) {
        this.shortened = true;
        break;
      }
      kept[this.#name(name)] = this.#value(value, depth);
    }
    return kept;
  }

  /**
   * The SDK misreads the names `__proto__` and `constructor`, and DynamoDB refuses an empty name. They get parentheses.
   */
  #name(name: string): string {
    return name === '__proto__' || name === 'constructor' || name === ''
      ? `(${name})`
      : this.#text(name, NAME_MAX_BYTES);
  }

  #value(value: unknown, depth: number): unknown {
    this.bytes += 3;
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'number') {
      // DynamoDB counts a byte for two digits, and one more (Developer Guide, "Item sizes"). 21 is never less.
      this.bytes += 21;
      return isStorableNumber(value) ? value : String(value);
    }
    if (typeof value !== 'object' || value === null) return value;
    if (depth >= MAX_DEPTH) {
      this.shortened = true;
      return this.#text(jsonText(value));
    }
    if (Array.isArray(value)) return value.map((part) => this.#value(part, depth + 1));
    return this.fields(value, depth + 1);
  }

  #text(text: string, maxBytes = this.#textMaxBytes): string {
    const stored = storableText(text, maxBytes);
    this.bytes += Buffer.byteLength(stored.value);
    this.shortened ||= stored.shortened;
    return stored.value;
  }
}

/** The SDK refuses numbers over MAX_SAFE_INTEGER, and DynamoDB numbers outside 1E-130 to 9.99E+125. */
function isStorableNumber(value: number): boolean {
  const size = Math.abs(value);
  return size <= Number.MAX_SAFE_INTEGER && (size === 0 || size >= 1e-130);
}
