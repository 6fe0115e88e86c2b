/** A list that is loaded page by page, and stays up to date. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Cursor, Range } from '../shared/api.ts';
import { messageOf } from './call.ts';
import { add, emptyPages, type Pages, type RowKind, replace } from './pages.ts';
import { usePolling } from './polling.ts';
import { useSay } from './settings.tsx';

interface Loaded<Row> {
  readonly rows: readonly Row[];
  readonly cursor?: Cursor | undefined;
  readonly back?: string | undefined;
}

/** Where a list's rows come from. */
export interface Source<Row> extends RowKind<Row> {
  /** Names what the list shows. When it changes, the list starts again. */
  readonly about: string;
  load(asked: { cursor?: Cursor; range?: Range }): Promise<Loaded<Row>>;
}

/** How many rows at the top of the list a poll reloads. */
const NEWEST_ROWS = 50;
/** How far back a poll looks for rows that come late: a provider that gets no answer posts again for a day. */
const LATE_DAYS = 3;
/** How many days of visible rows a poll reloads: each day takes eight queries. */
const VISIBLE_DAYS = 7;
/** The most requests for one poll. If there are more rows, the list starts again at the top. */
const MAX_PAGES = 20;

export interface Feed<Row> {
  readonly pages: Pages<Row>;
  readonly loading: boolean;
  /** Whether there may be older rows. `back` is the time down to which rows were looked for. */
  readonly goesOn: boolean;
  readonly back: string | undefined;
  /** Whether the last page had no rows. Then the person decides whether to look further back. */
  readonly foundNone: boolean;
  readonly error: string | undefined;
  /** How many rows appeared by themselves. */
  readonly arrived: number;
  /** Functions that return the rows near the window, one for each page of rows. The list adds and removes them. */
  readonly visible: Set<() => readonly Row[]>;
  more(): void;
}

/** A list, newest first: loaded page by page. Each poll reloads its newest rows and those that are visible. */
export function useFeed<Row extends object>(source: Source<Row>): Feed<Row> {
  const { about } = source;
  const say = useSay();
  const saying = useRef(say);
  saying.current = say;
  const [pages, setPages] = useState<Pages<Row>>(emptyPages);
  const [end, setEnd] = useState<{
    about: string;
    cursor?: Cursor | undefined;
    back?: string | undefined;
    none: boolean;
  }>();
  const [loading, setLoading] = useState(true);
  const [failure, setFailure] = useState<string>();
  const [arrived, setArrived] = useState(0);
  const visible = useMemo(() => new Set<() => readonly Row[]>(), []);
  const now = useRef({ source, pages, about });
  now.current = { source, pages, about };

  const show = useCallback((next: Pages<Row>) => {
    now.current = { ...now.current, pages: next };
    setPages(next);
  }, []);

  const load = useCallback(
    async (cursor: Cursor | undefined) => {
      const asked = now.current.about;
      setLoading(true);
      try {
        const loaded = await now.current.source.load(cursor ? { cursor } : {});
        if (now.current.about !== asked) return;
        show(add(now.current.pages, loaded.rows, now.current.source));
        setEnd({ about: asked, cursor: loaded.cursor, back: loaded.back, none: loaded.rows.length === 0 });
        setFailure(undefined);
      } catch (error) {
        if (now.current.about === asked) setFailure(messageOf(error, saying.current));
      }
      if (now.current.about === asked) setLoading(false);
    },
    [show],
  );
  useEffect(() => {
    show(emptyPages());
    setEnd(undefined);
    setFailure(undefined);
    setArrived(0);
    load(undefined);
  }, [about, load, show]);

  const ready = end?.about === about;
  const polled = usePolling(async () => {
    if (!ready) {
      // Only this retries the first rows.
      if (failure !== undefined) await load(undefined);
      return undefined;
    }
    const before = now.current.pages;
    const from = newestFrom(before, source, end.back);
    const newest = await loadAll(source, from);
    if (now.current.about !== about) return undefined;
    show(
      newest.cursor
        ? add(emptyPages(), newest.rows, source)
        : replace(now.current.pages, newest.rows, source, { after: from }),
    );
    if (newest.cursor) setEnd({ about, cursor: newest.cursor, back: newest.back, none: false });
    const added = now.current.pages.count - before.count;
    if (added > 0) setArrived((count) => count + added);

    // Reloads the visible rows that are older than those: at most a week of them.
    const times = [...visible]
      .flatMap((rows) => rows().map(source.time))
      .filter(isTime)
      .sort();
    const [oldest, youngest] = [times[0], times.at(-1)];
    if (newest.cursor || oldest === undefined || youngest === undefined || oldest >= from) return undefined;
    const [to = from] = [youngest, from].sort();
    const [, since = oldest] = [oldest, daysBefore(new Date(to), VISIBLE_DAYS)].sort();
    const range = { from: since, to };
    const seen = await source.load({ range });
    if (now.current.about !== about) return undefined;
    const after = seen.cursor ? (seen.back ?? range.to) : range.from;
    show(replace(now.current.pages, seen.rows, source, { after, until: range.to }));
    return undefined;
  }, `${about} ${ready}`);

  return {
    pages,
    loading,
    goesOn: end?.cursor !== undefined,
    back: end?.back,
    foundNone: end?.none ?? false,
    error: failure ?? polled,
    arrived,
    visible,
    more: () => {
      if (!loading) load(end?.cursor);
    },
  };
}

/** The time from which a poll reloads: the newest rows, at most three days of them, and only as far as rows are loaded. */
function newestFrom<Row>({ pages }: Pages<Row>, { time }: RowKind<Row>, back = ''): string {
  const last = pages.flat()[NEWEST_ROWS - 1];
  return [daysBefore(new Date(), LATE_DAYS), last ? time(last) : '', back].sort().at(-1) ?? '';
}

const isTime = (text: string) => !Number.isNaN(Date.parse(text));

const daysBefore = (time: Date, days: number) => new Date(time.getTime() - days * 86_400_000).toISOString();

/** All rows since a time. The answer has a cursor if there are more than a poll reads. */
async function loadAll<Row>(source: Source<Row>, from: string): Promise<Loaded<Row>> {
  const rows: Row[] = [];
  let loaded = await source.load({ range: { from } });
  for (let pages = 1; ; pages++) {
    rows.push(...loaded.rows);
    if (loaded.cursor === undefined || pages === MAX_PAGES) return { ...loaded, rows };
    loaded = await source.load({ range: { from }, cursor: loaded.cursor });
  }
}
