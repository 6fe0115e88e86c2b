/** Rows in pages, newest first. A page stays the same object while nothing in it changes. */
export interface Pages<Row> {
  readonly pages: readonly (readonly Row[])[];
  /** The JSON of each row by its key, to tell which rows changed. */
  readonly known: ReadonlyMap<string, string>;
  readonly count: number;
}

export interface RowKind<Row> {
  key(row: Row): string;
  time(row: Row): string;
}

const PAGE_ROWS = 60;

export const emptyPages = <Row>(): Pages<Row> => ({ pages: [], known: new Map(), count: 0 });

/** The pages with only some of their rows. A page that keeps all of them stays the same object. */
export function filterPages<Row>(all: Pages<Row>, keep: (row: Row) => boolean): Pages<Row> {
  const pages = all.pages
    .map((page) => (page.every(keep) ? page : page.filter(keep)))
    .filter((page) => page.length > 0);
  return { ...all, pages, count: pages.reduce((sum, page) => sum + page.length, 0) };
}

/** Adds rows in their order, and replaces older versions of them. */
export function add<Row>(old: Pages<Row>, rows: readonly Row[], kind: RowKind<Row>): Pages<Row> {
  const changed = rows.filter((row) => old.known.get(kind.key(row)) !== JSON.stringify(row));
  if (changed.length === 0) return old;
  const pages = [...old.pages];
  const known = new Map(old.known);
  for (const row of changed) {
    const key = kind.key(row);
    if (known.has(key)) {
      const at = pages.findIndex((page) => page.some((other) => kind.key(other) === key));
      pages[at] = (pages[at] ?? []).map((other) => (kind.key(other) === key ? row : other));
    } else insert(pages, row, kind);
    known.set(key, JSON.stringify(row));
  }
  return { pages, known, count: known.size };
}

/** Replaces all rows in a range of times by these rows. */
export function replace<Row>(
  old: Pages<Row>,
  rows: readonly Row[],
  kind: RowKind<Row>,
  { after, until }: { readonly after: string; readonly until?: string },
): Pages<Row> {
  const keys = new Set(rows.map(kind.key));
  const isGone = (row: Row) => {
    const time = kind.time(row);
    return time > after && (until === undefined || time <= until) && !keys.has(kind.key(row));
  };
  const gone = old.pages.flatMap((page) => page.filter(isGone));
  if (gone.length === 0) return add(old, rows, kind);
  const known = new Map(old.known);
  for (const row of gone) known.delete(kind.key(row));
  return add({ ...filterPages(old, (row) => !isGone(row)), known }, rows, kind);
}

function insert<Row>(pages: (readonly Row[])[], row: Row, { time }: RowKind<Row>): void {
  const isOlder = (other: Row) => time(other) < time(row);
  const at = pages.findIndex((page) => page.some(isOlder));
  if (at === -1) {
    const last = pages.at(-1);
    if (last === undefined || last.length >= PAGE_ROWS) pages.push([row]);
    else pages[pages.length - 1] = [...last, row];
    return;
  }
  const page = pages[at] ?? [];
  const place = page.findIndex(isOlder);
  const grown = [...page.slice(0, place), row, ...page.slice(place)];
  const half = Math.ceil(grown.length / 2);
  if (grown.length > 2 * PAGE_ROWS) pages.splice(at, 1, grown.slice(0, half), grown.slice(half));
  else pages[at] = grown;
}
