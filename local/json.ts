/** Parses JSON from outside; undefined if it is malformed. The error of JSON.parse would quote it. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
