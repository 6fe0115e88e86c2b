/** The view in the address. */
import { useEffect, useState } from 'preact/hooks';

export const VIEWS = ['send', 'mail', 'bounces', 'overview', 'try'] as const;
/** The start is where there is nothing in the address; a recipient's page is reached by the search. */
export type View = (typeof VIEWS)[number] | 'start' | 'recipient';

export interface Route {
  readonly view: View;
  /** What is open in the view, part by part. */
  readonly open: readonly string[];
  /** What narrows the view: the filters of its list. */
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

/** The address of a view, and of what is open in it. */
export const hashOf = (view: View, ...open: readonly string[]): string =>
  `#/${[view, ...open].map(encodeURIComponent).join('/')}`;

/** The same, with what narrows the view. */
export function hashWith(query: Query, view: View, ...open: readonly string[]): string {
  const text = new URLSearchParams(query).toString();
  return hashOf(view, ...open) + (text === '' ? '' : `?${text}`);
}

/** What narrows the view now. Before the page is drawn again it is newer than what was drawn. */
export const currentQuery = (): Query => readRoute(location.hash).query;

/** Narrows the view in another way: in the address, without a step back to how it was. */
export function replaceQuery(query: Query): void {
  const { view, open } = readRoute(location.hash);
  history.replaceState(null, '', hashWith(query, view, ...open));
  dispatchEvent(new HashChangeEvent('hashchange'));
}

/** Where the person is, followed wherever they go. */
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
