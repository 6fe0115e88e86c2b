/** Makes whatever a provider sent fit into DynamoDB. */
import { jsonText } from '../mail/json.ts';
import { utf8Beginning } from './keys.ts';

/** DynamoDB refuses an item over 400 KB; what is shortened leaves room for the rest of its row. */
const TEXT_MAX_BYTES = 100_000;
const DETAILS_MAX_BYTES = 150_000;
export const RAW_EVENT_MAX_BYTES = 300_000;
/** In details that are too large, a text longer than this is cut. */
const DETAIL_TEXT_MAX_BYTES = 2_000;
/** DynamoDB refuses more than 32 levels. */
const MAX_DEPTH = 16;
const MAX_FIELDS = 2_000;
const NAME_MAX_BYTES = 1_000;

/** A value in a form that DynamoDB takes, and whether anything of it was left out for that. */
export interface Storable<Value> {
  readonly value: Value;
  readonly shortened: boolean;
}

/** Well-formed text of at most 100,000 bytes, with a note at its end of what was cut. */
export function storableText(text: string, maxBytes = TEXT_MAX_BYTES): Storable<string> {
  const value = text.toWellFormed();
  const bytes = Buffer.byteLength(value);
  if (bytes <= maxBytes) return { value, shortened: false };
  return { value: `${utf8Beginning(value, maxBytes)}… (shortened, ${bytes} bytes)`, shortened: true };
}

/** A text of a line or so, such as a subject: well-formed, and at most 2,000 bytes of it. */
export function storableLine(text: string | undefined): string | undefined {
  return text === undefined ? undefined : storableText(text, DETAIL_TEXT_MAX_BYTES).value;
}

/** The other fields of an event as a map that DynamoDB takes: within its limits on size, depth, numbers and names. */
export function storable(fields: Readonly<Record<string, unknown>>): Storable<Record<string, unknown>> {
  const whole = new Walk(TEXT_MAX_BYTES);
  const value = whole.fields(fields, 1);
  if (whole.bytes <= DETAILS_MAX_BYTES) return { value, shortened: whole.shortened };
  const cut = new Walk(DETAIL_TEXT_MAX_BYTES);
  const shortValue = cut.fields(fields, 1);
  if (cut.bytes <= DETAILS_MAX_BYTES) return { value: shortValue, shortened: true };
  return { value: { json: storableText(jsonText(fields)).value }, shortened: true };
}

/** One pass over the fields, counting bytes as DynamoDB does, near enough. */
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

  /** The SDK would take the first two for what JavaScript means by them; DynamoDB takes no empty name. */
  #name(name: string): string {
    return name === '__proto__' || name === 'constructor' || name === ''
      ? `(${name})`
      : this.#text(name, NAME_MAX_BYTES);
  }

  #value(value: unknown, depth: number): unknown {
    this.bytes += 3;
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'number') {
      // DynamoDB takes a byte for two digits, and one more (Developer Guide, "Item sizes"): this is never less.
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

/** The SDK refuses what JavaScript cannot count exactly, DynamoDB what is outside 1E-130 to 9.99E+125. */
function isStorableNumber(value: number): boolean {
  const size = Math.abs(value);
  return size <= Number.MAX_SAFE_INTEGER && (size === 0 || size >= 1e-130);
}
