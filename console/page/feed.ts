/** A list that is loaded page by page, and stays up to date. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { type Cursor, LOOK_ROWS, type Look } from '../shared/api.ts';
import { messageOf } from './call.ts';
import { add, emptyPages, type Pages, type RowKind, rowsFrom } from './pages.ts';
import { usePolling } from './polling.ts';
import { useSay } from './settings.tsx';

interface Loaded<Row> {
  readonly rows: readonly Row[];
  readonly cursor?: Cursor | undefined;
  readonly back?: string | undefined;
  readonly same?: number | undefined;
}

/** Where a list's rows come from. */
export interface Source<Row> extends RowKind<Row> {
  /** What the list depends on: it begins anew when that changes. */
  readonly about: string;
  load(asked: { cursor?: Cursor; look?: Look }): Promise<Loaded<Row>>;
  /** As the server makes it of the same row. */
  version(row: Row): string;
}

/** How often a poll looks at most, while all that it finds is new. */
const MAX_LOOKS = 6;

/** A look that found only new rows, and not all of them: what it must go on to is no longer joined to the rest. */
const isGap = ({ rows, same = 0, cursor }: Loaded<unknown>) => cursor !== undefined && rows.length > 0 && same === 0;

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
  /** Puts newer copies in place of rows. A row that the list does not have, or no longer has, is left out. */
  update(rows: readonly Row[]): void;
}

/** A list, newest first: loaded page by page, with what is new put where it belongs. */
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
  /** Where the looks below the newest rows go on, turn by turn. */
  const turn = useRef<Loaded<Row> | undefined>(undefined);
  const versions = useMemo(() => new WeakMap<Row, string>(), []);
  const now = useRef({ source, pages, about });
  now.current = { source, pages, about };

  const merge = useCallback((rows: readonly Row[]) => {
    const next = add(now.current.pages, rows, now.current.source);
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
        merge(loaded.rows);
        setEnd({ about: asked, cursor: loaded.cursor, back: loaded.back, none: loaded.rows.length === 0 });
        setFailure(undefined);
      } catch (error) {
        if (now.current.about === asked) setFailure(messageOf(error, saying.current));
      }
      if (now.current.about === asked) setLoading(false);
    },
    [merge],
  );
  useEffect(() => {
    now.current = { ...now.current, pages: emptyPages() };
    setPages(emptyPages());
    setEnd(undefined);
    setFailure(undefined);
    setArrived(0);
    turn.current = undefined;
    load(undefined);
  }, [about, load]);

  const ready = end?.about === about;
  const polled = usePolling(async () => {
    if (!ready) {
      // Nothing else asks again for the first rows.
      if (failure !== undefined) await load(undefined);
      return undefined;
    }
    const look = async (after: Loaded<Row> | undefined) => {
      const shown = rowsFrom(now.current.pages, source, after?.back, LOOK_ROWS);
      const known = shown.map((row) => {
        const version = versions.get(row) ?? source.version(row);
        versions.set(row, version);
        return version;
      });
      const loaded = await source.load({
        look: { known, ...(end.back !== undefined && { from: end.back }) },
        ...(after?.cursor && { cursor: after.cursor }),
      });
      if (now.current.about !== about) return undefined;
      const before = now.current.pages.count;
      const more = merge(loaded.rows).count - before;
      if (more > 0) setArrived((count) => count + more);
      return loaded;
    };
    const newest = await look(undefined);
    let last = newest && !isGap(newest) ? (turn.current ?? newest) : newest;
    for (let looks = 1; last?.cursor !== undefined && looks < MAX_LOOKS; looks++) {
      last = await look(last);
      if (last && !isGap(last)) break;
    }
    if (now.current.about === about) turn.current = last?.cursor === undefined ? undefined : last;
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
    update: (rows) => {
      const { pages: current, source: own } = now.current;
      merge(rows.filter((row) => current.known.has(own.key(row))));
    },
  };
}
