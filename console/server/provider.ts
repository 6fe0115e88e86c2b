/** Reads the discovery document of the OpenID provider. */
import * as z from 'zod/mini';
import { errorFields, log } from '../../lambda/aws/log.ts';
import type { SignIn } from '../shared/api.ts';

/** The document is read again after this time. Providers seldom change it. */
const MAX_AGE_MS = 3_600_000;
const TIMEOUT_MS = 5_000;

const endpoint = z.url();
/** OpenID Connect Discovery 1.0, 3; RP-Initiated Logout 1.0, 2.1. */
const discovery = z.object({
  issuer: z.string(),
  authorization_endpoint: endpoint,
  token_endpoint: endpoint,
  end_session_endpoint: z.optional(endpoint),
});

/** Where the discovery document of an issuer is (OpenID Connect Discovery 1.0, 4). */
export const discoveryUrl = (issuer: string) => `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;

/** @throws Error that says what is wrong with the document */
export async function discover(issuer: string, clientId: string): Promise<SignIn> {
  const response = await fetch(discoveryUrl(issuer), { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' });
  if (!response.ok) throw new Error(`it was answered with ${response.status}`);
  const found = discovery.parse(await response.json());
  if (found.issuer !== issuer) throw new Error(`its issuer is ${found.issuer}, not ${issuer}`);
  return {
    issuer,
    clientId,
    authorizationEndpoint: found.authorization_endpoint,
    tokenEndpoint: found.token_endpoint,
    ...(found.end_session_endpoint && { endSessionEndpoint: found.end_session_endpoint }),
  };
}

/** Reads the document once an hour. If that fails, the previous one stays in use; undefined if there is none. */
export function cachedProvider(issuer: string, clientId: string): () => Promise<SignIn | undefined> {
  let cached: SignIn | undefined;
  let readAgainAtMs = 0;
  return async () => {
    if (cached && Date.now() < readAgainAtMs) return cached;
    try {
      cached = await discover(issuer, clientId);
      readAgainAtMs = Date.now() + MAX_AGE_MS;
    } catch (error) {
      log('error', 'Cannot read the discovery document of the issuer', errorFields(error));
    }
    return cached;
  };
}
