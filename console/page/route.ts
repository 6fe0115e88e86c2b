/** Reads and writes the view in the page's URL. */
import { useEffect, useState } from 'preact/hooks';

export const VIEWS = ['send', 'mail', 'bounces', 'overview', 'try'] as const;
/** `start` is the view of a URL without a view. The search leads to `recipient`. */
export type View = (typeof VIEWS)[number] | 'start' | 'recipient';

export interface Route {
  readonly view: View;
  /** The parts of the path after the view. They name the open item. */
  readonly open: readonly string[];
  /** The filters of the view's list. */
  readonly query: Query;
}

export type Query = Readonly<Record<string, string>>;

/** `#/mail/<kind>/<id>?state=<state>`, every part percent-encoded. */
function readRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\//, '').split('?');
  const [view, ...open] = path.split('/').map(decode);
  const known = [...VIEWS, 'start' as const, 'recipient' as const].find((name) => name === (view || 'start')) ?? 'mail';
  return { view: known, open, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** The hash of a view and its open item. */
export const hashOf = (view: View, ...open: readonly string[]): string =>
  `#/${[view, ...open].map(encodeURIComponent).join('/')}`;

/** The same with filters. */
export function hashWith(query: Query, view: View, ...open: readonly string[]): string {
  const text = new URLSearchParams(query).toString();
  return hashOf(view, ...open) + (text === '' ? '' : `?${text}`);
}

/** The filters in the URL now. They may be newer than those that the page was drawn with. */
export const currentQuery = (): Query => readRoute(location.hash).query;

/** Changes the filters in the URL, without a new entry in the browser's history. */
export function replaceQuery(query: Query): void {
  const { view, open } = readRoute(location.hash);
  history.replaceState(null, '', hashWith(query, view, ...open));
  dispatchEvent(new HashChangeEvent('hashchange'));
}

/** The current route. It follows the URL. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return readRoute(hash);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
