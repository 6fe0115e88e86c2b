/**
 * Signs somebody in at the OpenID provider of the stack: authorization code flow with PKCE (RFC 6749, RFC 7636). The token
 * stays in memory only: after a reload the page signs in again, and the provider does not ask.
 */
import * as oauth from 'oauth4webapi';
import { type SignIn, signIn } from '../shared/api.ts';

/** Keys in the tab's storage: of the values to compare when the provider sends the person back, and of a sign-out. */
const STARTED = 'sign-in';
const SIGNED_OUT = 'signed-out';
/** A token that is refused this soon after the sign-in would be refused again. */
const LOOP_MS = 30_000;

let token: string | undefined;
let signedInAtMs = 0;

/** Undefined on an engineer's machine, where nobody signs in. Null if the provider cannot be reached. */
export const provider: SignIn | null | undefined = (() => {
  const text = document.documentElement.dataset['signIn'];
  return text === undefined ? undefined : (signIn.safeParse(JSON.parse(text)).data ?? null);
})();

export const idToken = (): string | undefined => token;

/** The state of the sign-in. The page makes no call before it is `in`. */
export type SignInState = { readonly is: 'in' | 'out' | 'leaving' } | { readonly is: 'failed'; readonly why: string };

const server = ({ issuer, authorizationEndpoint, tokenEndpoint }: SignIn): oauth.AuthorizationServer => ({
  issuer,
  authorization_endpoint: authorizationEndpoint,
  token_endpoint: tokenEndpoint,
});

/** The page's own URL, as it is registered at the provider. */
const redirectUri = () => `${location.origin}/`;

/** Local mode's provider answers on this machine, without TLS. */
const options = () => (location.protocol === 'http:' ? { [oauth.allowInsecureRequests]: true as const } : {});

/** Finishes a sign-in that the provider sends back, or starts one. */
export async function signInOnLoad(): Promise<SignInState> {
  if (provider === undefined) return { is: 'in' };
  if (provider === null) return { is: 'failed', why: 'provider' };
  const returned = new URL(location.href);
  const started = take(STARTED);
  if (started !== undefined && returned.searchParams.has('state'))
    return finish(provider, returned, JSON.parse(started));
  // Removes a code that is not of this tab's sign-in, or was used already.
  if (returned.search !== '') history.replaceState(null, '', `/${location.hash}`);
  if (take(SIGNED_OUT) !== undefined) return { is: 'out' };
  return leaveToSignIn(provider);
}

interface Started {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly hash: string;
}

async function finish(at: SignIn, returned: URL, { state, nonce, verifier, hash }: Started): Promise<SignInState> {
  // First removes the code from the URL, and shows the view from which the sign-in was started.
  history.replaceState(null, '', `/${hash}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
  const client = { client_id: at.clientId };
  try {
    const params = oauth.validateAuthResponse(server(at), client, returned, state);
    const answer = await oauth.authorizationCodeGrantRequest(
      server(at),
      client,
      oauth.None(),
      params,
      redirectUri(),
      verifier,
      options(),
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server(at), client, answer, {
      expectedNonce: nonce,
      requireIdToken: true,
    });
    token = tokens.id_token;
    signedInAtMs = Date.now();
    return { is: 'in' };
  } catch (error) {
    return { is: 'failed', why: error instanceof Error ? error.message : String(error) };
  }
}

async function leaveToSignIn(at: SignIn): Promise<SignInState> {
  const started: Started = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
    hash: location.hash,
  };
  sessionStorage.setItem(STARTED, JSON.stringify(started));
  const address = new URL(at.authorizationEndpoint);
  const asked = {
    client_id: at.clientId,
    redirect_uri: redirectUri(),
    response_type: 'code',
    scope: 'openid email profile',
    state: started.state,
    nonce: started.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(started.verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(asked)) address.searchParams.set(name, value);
  location.assign(address);
  return { is: 'leaving' };
}

/** Called when the server refused the token, which has expired. Signs in again, and comes back to the same view. */
export async function signInAgain(): Promise<SignInState> {
  if (!provider) return { is: 'failed', why: 'provider' };
  // Several calls may be refused at the same time. The first has started the sign-in.
  if (token === undefined) return { is: 'leaving' };
  token = undefined;
  if (Date.now() - signedInAtMs < LOOP_MS) return { is: 'failed', why: 'refused' };
  return leaveToSignIn(provider);
}

export async function signInByHand(): Promise<void> {
  if (provider) await leaveToSignIn(provider);
  else location.reload();
}

/** Forgets the token, and ends the session at the provider if the provider has an endpoint for that. */
export function signOut(): void {
  const hint = token;
  token = undefined;
  sessionStorage.setItem(SIGNED_OUT, '1');
  if (!provider?.endSessionEndpoint) {
    location.reload();
    return;
  }
  // Entra ID and Cognito document GET only. Cognito calls the URL to come back to `logout_uri`.
  if (/^https:\/\/(?:cognito-idp\.|login\.microsoftonline\.com\/)/.test(provider.issuer)) {
    const address = new URL(provider.endSessionEndpoint);
    const fields = { client_id: provider.clientId, logout_uri: redirectUri(), post_logout_redirect_uri: redirectUri() };
    for (const [name, value] of Object.entries(fields)) address.searchParams.set(name, value);
    location.assign(address);
    return;
  }
  // OpenID Connect RP-Initiated Logout 1.0, 2: by POST, so that the token is in no URL.
  const form = document.createElement('form');
  form.method = 'post';
  form.action = provider.endSessionEndpoint;
  const fields = { id_token_hint: hint ?? '', client_id: provider.clientId, post_logout_redirect_uri: redirectUri() };
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement('input');
    Object.assign(input, { type: 'hidden', name, value });
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}

function take(name: string): string | undefined {
  const value = sessionStorage.getItem(name) ?? undefined;
  sessionStorage.removeItem(name);
  return value;
}
