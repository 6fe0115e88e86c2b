/**
 * The token of `npm run console`. It comes in the address behind the `#`, which browsers send to nobody, and is kept in
 * this origin's storage: a cookie would go to every port of this machine.
 */
import { idToken, provider } from './sign-in.ts';

const NAME = 'token';

/** Takes the token out of the address, so that it stays in no bookmark. @returns whether there was one */
function takeToken(): boolean {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (token === undefined) return false;
  localStorage.setItem(NAME, token);
  history.replaceState(null, '', location.pathname);
  return true;
}

takeToken();
// The address is opened where the page is open already.
addEventListener('hashchange', () => {
  if (takeToken()) location.reload();
});

export const tokenHeader = (): Record<string, string> => {
  const token = provider === undefined ? localStorage.getItem(NAME) : idToken();
  return token ? { Authorization: `Bearer ${token}` } : {};
};

let refused: (() => void) | undefined;

/** Does something when the server knows no such token: it has expired, the server was started again since, or the address was typed. */
export function whenTokenIsRefused(then: () => void): void {
  refused = then;
}

export const tokenIsRefused = (): void => refused?.();
