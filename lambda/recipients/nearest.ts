/** Finds the address that was meant by a mistyped one. */

/** An address with more differences is taken for another address. */
const MAX_DISTANCE = 2;

/** The candidate that differs least from the address, by one or two characters. */
export function nearest(address: string, candidates: Iterable<string>): string | undefined {
  let found: string | undefined;
  let least = MAX_DISTANCE + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - address.length) >= least) continue;
    const apart = distance(address, candidate);
    if (apart < least && apart > 0) [found, least] = [candidate, apart];
  }
  return found;
}

/** How many characters to insert, delete, replace, or swap with their neighbour (optimal string alignment distance). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
