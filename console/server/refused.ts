/** Refuses calls from other sites, and makes the security headers of every answer. */

import { CONSOLE_HEADER } from '../shared/api.ts';

/** An answer other than 200, with a message. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Which other origins the page may speak to: none, or those of an OpenID provider. */
export interface Outside {
  readonly connect?: string | undefined;
  readonly form?: string | undefined;
}

/** Headers that allow only content of the console itself, and forbid frames, guessed content types and referrers. */
export function securityHeaders({ connect, form }: Outside = {}): Record<string, string> {
  const sources = (...all: (string | undefined)[]) => all.filter((source) => source !== undefined).join(' ');
  return {
    'Content-Security-Policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      `connect-src ${sources("'self'", connect)}`,
      "base-uri 'none'",
      `form-action ${form === undefined ? "'none'" : sources("'self'", form)}`,
      "frame-ancestors 'none'",
    ].join('; '),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Cache-Control': 'no-store',
  };
}

/**
 * A call must come from the page itself. No other site can send our header unless we allowed it, which we never do.
 *
 * @param headers names in lower case
 * @throws Refused 403, 415
 */
export function refuseOtherSites(headers: Readonly<Record<string, string | string[] | undefined>>): void {
  const site = headers['sec-fetch-site'];
  if (headers[CONSOLE_HEADER] !== '1' || (site !== undefined && site !== 'same-origin')) {
    throw new Refused(403, 'Cannot answer: the request does not come from the page');
  }
  if (String(headers['content-type']).split(';')[0]?.trim() !== 'application/json') {
    throw new Refused(415, 'Cannot answer: the content type is not application/json');
  }
}

/** @throws Refused 400 */
export function parseCall(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(400, 'Cannot answer: the request is not JSON');
  }
}
