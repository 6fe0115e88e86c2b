/** An OpenID provider on this machine, with users to try the console's roles with. */
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type Provider from 'oidc-provider';
import type { Context } from 'oidc-provider';
import { closeServer, listen, originOf } from '../ports.ts';

export const CLIENT_ID = 'todoke-console';

interface User {
  readonly email: string;
  readonly email_verified: boolean;
  readonly groups?: readonly string[];
}

/** The people who can sign in. They need no password: nothing here is real. */
const USERS: Readonly<Record<string, User>> = {
  reader: { email: 'reader@example.com', email_verified: true },
  operator: { email: 'operator@example.com', email_verified: true, groups: ['mail operators'] },
  stranger: { email: 'stranger@example.net', email_verified: true },
};

/** The settings of a stack whose console these users may open, except the stranger. */
export const SIGN_IN_SETTINGS = {
  // Local mode replaces it with its own provider.
  consoleIssuer: 'https://openid.example.com',
  consoleClientId: CLIENT_ID,
  consoleReaders: '@example.com',
  consoleOperators: 'group:mail operators',
};

export interface OpenIdProvider {
  readonly issuer: string;
  /** The key that signs tokens, as a JWK. */
  readonly signingKey: Readonly<Record<string, unknown>>;
  /** Starts to sign people in to the console at this address. */
  serve(consoleUrl: string): Promise<void>;
  stop(): Promise<void>;
}

/** @param port 0 takes a free one */
export async function startOpenIdProvider(port: number): Promise<OpenIdProvider> {
  let answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) =>
    response.writeHead(503).end();
  const server = createServer((request, response) => answer(request, response));
  const issuer = originOf(await listen(server, port, 'the OpenID provider'));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signingKey = { ...privateKey.export({ format: 'jwk' }), kid: 'local', alg: 'RS256', use: 'sig' };
  return {
    issuer,
    signingKey,
    async serve(consoleUrl) {
      // This package takes longer to load than the rest of local mode.
      const { default: OidcProvider } = await import('oidc-provider');
      const provider = new OidcProvider(
        issuer,
        configuration(consoleUrl, signingKey, () => provider),
      );
      const callback = provider.callback();
      // Browsers sign out by POST. oidc-provider takes that only with cookies that need TLS, so it gets the same as a GET.
      const signOut = async (request: IncomingMessage, response: ServerResponse) => {
        request.url = `/session/end?${await text(request)}`;
        request.method = 'GET';
        callback(request, response);
      };
      answer = (request, response) => {
        const [, path, accountId] = /^(\/sign-in\/[\w-]+)(?:\?user=(\w+))?$/.exec(request.url ?? '') ?? [];
        if (request.method === 'POST' && request.url === '/session/end') return void signOut(request, response);
        if (path === undefined) return callback(request, response);
        if (accountId === undefined || !Object.hasOwn(USERS, accountId)) return showUsers(response, path);
        const result = { login: { accountId } };
        provider.interactionFinished(request, response, result).catch(() => response.writeHead(400).end());
      };
    },
    stop: () => closeServer(server),
  };
}

function configuration(consoleUrl: string, signingKey: object, provider: () => Provider): object {
  const { origin } = new URL(consoleUrl);
  return {
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: 'none',
        redirect_uris: [consoleUrl],
        post_logout_redirect_uris: [consoleUrl],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    jwks: { keys: [signingKey] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['groups'] },
    scopes: ['openid', 'email', 'profile'],
    // Puts the claims of the scopes into the ID token, as most providers do.
    conformIdTokenClaims: false,
    clientBasedCORS: (_: Context, from: string) => from === origin,
    cookies: { keys: ['local'] },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { logoutSource: askToSignOut },
    },
    findAccount: (_: Context, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...USERS[id] }) }),
    interactions: { url: (_: Context, { uid }: { uid: string }) => `/sign-in/${uid}` },
    // Grants the scopes without a consent page.
    async loadExistingGrant({ oidc }: Context) {
      const grant = new (provider().Grant)({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
    ttl: {
      AccessToken: 3_600,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: 3_600,
      Interaction: 3_600,
      Session: 86_400,
    },
  };
}

const page = (title: string, content: string) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body { font: 16px/1.6 system-ui; max-width: 26rem; margin: 12vh auto; padding: 0 1rem } li { margin: .6rem 0 }</style>
<h1>${title}</h1>${content}</html>`;

function showUsers(response: ServerResponse, path: string): void {
  const users = Object.entries(USERS).map(
    ([name, { email }]) => `<li><a href="${path}?user=${name}">${email}</a></li>`,
  );
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end(
    page(
      'Sign in as',
      `<p>Local mode’s OpenID provider. ローカルモード用の OpenID プロバイダーです。ユーザーを選んでください。</p><ul>${users.join('')}</ul>`,
    ),
  );
}

function askToSignOut(ctx: Context, form: string): void {
  ctx.body = page(
    'Sign out',
    `${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>`,
  );
}
