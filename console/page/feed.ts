import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Cursor } from '../shared/api.ts';
import { messageOf } from './call.ts';
import { add, emptyPages, lastTime, type Pages, type RowKind } from './pages.ts';
import { usePolling } from './polling.ts';

interface Loaded<Row> {
  readonly rows: readonly Row[];
  readonly cursor?: Cursor | undefined;
  readonly back?: string | undefined;
}

/** Where a list's rows come from. */
export interface Source<Row> extends RowKind<Row> {
  /** What the list depends on: it begins anew when that changes. */
  readonly about: string;
  load(asked: { cursor?: Cursor; since?: string }): Promise<Loaded<Row>>;
}

export interface Feed<Row> {
  readonly pages: Pages<Row>;
  readonly loading: boolean;
  /** Whether there may be older rows; `back` says up to where it looked. */
  readonly goesOn: boolean;
  readonly back: string | undefined;
  /** Whether the last look back found nothing: looking on is then for the person to decide. */
  readonly foundNone: boolean;
  readonly error: string | undefined;
  /** How many rows appeared by themselves. */
  readonly arrived: number;
  more(): void;
  merge(rows: readonly Row[]): void;
}

/** A list, newest first: loaded page by page, with what is new put where it belongs. */
export function useFeed<Row>(source: Source<Row>): Feed<Row> {
  const { about } = source;
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
  const opened = useMemo(() => new Date().toISOString(), []);
  const now = useRef({ source, pages, about });
  now.current = { source, pages, about };

  const merge = useCallback((rows: readonly Row[], grow = false) => {
    const next = add(now.current.pages, rows, now.current.source, grow);
    now.current = { ...now.current, pages: next };
    setPages(next);
    return next;
  }, []);

  const load = useCallback(
    async (cursor: Cursor | undefined) => {
      const asked = now.current.about;
      setLoading(true);
      try {
        const loaded = await now.current.source.load(cursor ? { cursor } : {});
        if (now.current.about !== asked) return;
        merge(loaded.rows, true);
        setEnd({ about: asked, cursor: loaded.cursor, back: loaded.back, none: loaded.rows.length === 0 });
        setFailure(undefined);
      } catch (error) {
        if (now.current.about === asked) setFailure(messageOf(error));
      }
      if (now.current.about === asked) setLoading(false);
    },
    [merge],
  );
  useEffect(() => {
    now.current = { ...now.current, pages: emptyPages() };
    setPages(emptyPages());
    setEnd(undefined);
    setArrived(0);
    load(undefined);
  }, [about, load]);

  const ready = end?.about === about;
  const polled = usePolling(async () => {
    if (!ready) return undefined;
    // A row's clock may be ahead of time.
    const [since = opened] = [lastTime(now.current.pages, source) ?? opened, new Date().toISOString()].sort();
    const { rows } = await source.load({ since });
    if (now.current.about !== about) return undefined;
    const before = now.current.pages.count;
    const after = merge(rows, end.cursor === undefined);
    if (after.count > before) setArrived((count) => count + after.count - before);
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
    more: () => {
      if (!loading) load(end?.cursor);
    },
    merge,
  };
}
