/**
 * The token of `npm run console`. It comes in the URL after the `#`, which browsers do not send, and is kept in this
 * origin's storage. A cookie would be sent to every port of this machine.
 */
import { idToken, provider } from './sign-in.ts';

const NAME = 'token';

/** Moves the token from the URL to the storage, so that no bookmark has it. @returns whether there was one */
function takeToken(): boolean {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (token === undefined) return false;
  localStorage.setItem(NAME, token);
  history.replaceState(null, '', location.pathname);
  return true;
}

takeToken();
// The page may be open already when the URL with the token is opened.
addEventListener('hashchange', () => {
  if (takeToken()) location.reload();
});

export const tokenHeader = (): Record<string, string> => {
  const token = provider === undefined ? localStorage.getItem(NAME) : idToken();
  return token ? { Authorization: `Bearer ${token}` } : {};
};

let refused: (() => void) | undefined;

/** Sets what to do when the server refuses the token, for example because it expired or the server was restarted. */
export function whenTokenIsRefused(then: () => void): void {
  refused = then;
}

export const tokenIsRefused = (): void => refused?.();
