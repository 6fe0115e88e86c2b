/** Fills in the blanks of a text: `{n}` with its value, `{n row|rows}` with the value and the word that goes with it. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)(?: ([^|}]+)\|([^}]+))?\}/g, (_, name: string, one?: string, many?: string) => {
    const value = String(values[name] ?? '');
    if (one === undefined) return value;
    return `${value} ${value === '1' ? one : many}`;
  });
}
