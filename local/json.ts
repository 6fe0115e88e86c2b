/** JSON from outside; undefined for what is none: JSON.parse would quote it in its message. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
