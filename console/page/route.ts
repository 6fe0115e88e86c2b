/** The view in the address. */
import { useEffect, useState } from 'preact/hooks';

export const VIEWS = ['send', 'mail', 'bounces', 'overview', 'try'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  readonly view: View;
  /** What is open in the view, part by part. */
  readonly open: readonly string[];
}

/** `#/mail/<kind>/<id>`, every part percent-encoded. */
function readRoute(hash: string): Route {
  const [view, ...open] = hash.replace(/^#\//, '').split('/').map(decode);
  return { view: VIEWS.find((name) => name === view) ?? 'mail', open };
}

/** The address of a view, and of what is open in it. */
export const hashOf = (view: View, ...open: readonly string[]): string =>
  `#/${[view, ...open].map(encodeURIComponent).join('/')}`;

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
