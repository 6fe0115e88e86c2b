/** A list of rows, of which only those near the window are drawn. */
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Feed } from './feed.ts';
import { Empty, type EmptyProps, Notice, timeText } from './parts.tsx';
import { useSettings } from './settings.tsx';

/** How far beyond the window rows are kept ready. */
const MARGIN = '1000px 0px';

interface PageProps<Row> {
  readonly rows: readonly Row[];
  readonly columns: number;
  readonly rowKey: (row: Row) => string;
  /** The key of the open row, if it is on this page. */
  readonly openKey: string | undefined;
  readonly drawRow: (row: Row, isOpen: boolean) => ComponentChildren;
  readonly visible: Set<() => readonly Row[]>;
}

/** A page of rows; while it is out of sight, an empty row of its height. */
function RowsPage<Row>({ rows, columns, rowKey, openKey, drawRow, visible }: PageProps<Row>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [height, setHeight] = useState<number>();
  const latest = useRef(rows);
  latest.current = rows;
  useEffect(() => {
    const element = body.current;
    if (element === null) return;
    const shown = () => latest.current;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry === undefined) return;
        setHeight(entry.isIntersecting ? undefined : entry.boundingClientRect.height);
        if (entry.isIntersecting) visible.add(shown);
        else visible.delete(shown);
      },
      { rootMargin: MARGIN },
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      visible.delete(shown);
    };
  }, []);
  // Pages that stay the same object are not drawn again. A poll replaces only the pages that changed.
  const drawn = useMemo(
    () => rows.map((row) => drawRow(row, rowKey(row) === openKey)),
    [rows, rowKey, openKey, drawRow],
  );
  return (
    <tbody ref={body}>
      {height === undefined ? (
        drawn
      ) : (
        <tr class="away">
          <td colSpan={columns} style={{ height: `${height}px` }} />
        </tr>
      )}
    </tbody>
  );
}

interface ListProps<Row> {
  readonly feed: Feed<Row>;
  readonly caption: string;
  /** `column`: the class of a column that is hidden at some widths. */
  readonly heads: readonly { readonly text: string; readonly column?: string }[];
  readonly openKey: string | undefined;
  readonly rowKey: (row: Row) => string;
  /** Must stay the same function as long as it draws the same. */
  readonly drawRow: (row: Row, isOpen: boolean) => ComponentChildren;
  readonly empty: EmptyProps;
}

/** A table that loads more rows as the person scrolls, and draws only the pages near the window. */
export function List<Row>({ feed, caption, heads, openKey, rowKey, drawRow, empty }: ListProps<Row>) {
  const { say } = useSettings();
  const isEmpty = feed.pages.count === 0;
  return (
    <div class="list">
      {feed.error !== undefined && (
        <Notice tone="bad">{say(isEmpty ? 'cannotRead' : 'stale', { message: feed.error })}</Notice>
      )}
      {!isEmpty && (
        <table class="rows">
          <caption class="unseen">{caption}</caption>
          <thead>
            <tr>
              {heads.map(({ text, column }) => (
                <th key={text} scope="col" class={column}>
                  {text}
                </th>
              ))}
            </tr>
          </thead>
          {feed.pages.pages.map((rows) => (
            <RowsPage
              key={rows.slice(-1).map(rowKey).join()}
              rows={rows}
              columns={heads.length}
              rowKey={rowKey}
              openKey={rows.some((row) => rowKey(row) === openKey) ? openKey : undefined}
              drawRow={drawRow}
              visible={feed.visible}
            />
          ))}
        </table>
      )}
      {isEmpty && !feed.loading && feed.error === undefined && <Empty {...empty} />}
      <ListEnd feed={feed} />
      <p class="unseen" role="status">
        {feed.arrived > 0 && say('newRows', { n: feed.arrived })}
      </p>
    </div>
  );
}

function ListEnd<Row>({ feed }: { feed: Feed<Row> }) {
  const { say, language } = useSettings();
  const end = useRef<HTMLDivElement>(null);
  const goOn = useRef(feed.more);
  goOn.current = feed.more;
  const byItself = feed.goesOn && !feed.foundNone && !feed.loading && feed.error === undefined;
  useEffect(() => {
    if (!byItself || end.current === null) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting) goOn.current();
      },
      { rootMargin: MARGIN },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [byItself]);
  const back = feed.back === undefined ? undefined : new Date(feed.back);
  return (
    <div class="list-end" ref={end}>
      {feed.loading && <p class="faint">{say('loading')}</p>}
      {!feed.loading && feed.goesOn && (
        <p>
          {back && <span class="faint">{say('lookedBack', { time: timeText(back, language) })}</span>}{' '}
          <button type="button" class="quiet" onClick={feed.more}>
            {say(feed.foundNone ? 'lookBack' : 'more')}
          </button>
        </p>
      )}
      {!feed.loading && !feed.goesOn && feed.pages.count > 0 && <p class="faint">{say('shownAll')}</p>}
    </div>
  );
}
