/** The fields of an event as a provider sent it. Any of them may be missing, or of any type. */
export type Fields = Readonly<Record<string, unknown>>;

/** A field's text. What is of another type than documented counts as missing. */
export function textField(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}

/** All fields but those that `isTaken`, in their order. */
export function otherFields(
  fields: Fields,
  isTaken: (name: string, value: unknown) => boolean,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => !isTaken(name, value)));
}
