/** Refuses requests that do not come from the page, reads its calls, and sends answers. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseCall, Refused, refuseOtherSites, securityHeaders } from './refused.ts';

const MAX_BODY_BYTES = 6 * 1024 * 1024;

/**
 * Only this machine's own page may make requests. After DNS rebinding, `Host` has the attacker's name. Requests from
 * another site have its `Origin`, and cannot have our header, because we never allow it to other sites.
 */
export function refuseStrangers(request: IncomingMessage): void {
  const { host, origin } = request.headers;
  const port = request.socket.localPort;
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) {
    throw new Refused(421, 'Cannot answer: the Host header names another machine than this one');
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new Refused(403, 'Cannot answer: the request comes from another site');
  }
}

/** Other users of the machine reach its ports, too. Only a request with the token is answered. */
export function refuseWithoutToken(request: IncomingMessage, token: string | undefined): void {
  if (token === undefined) return;
  const hash = (text: string) => createHash('sha256').update(text).digest();
  // The comparison needs values of the same length, such as hashes.
  if (timingSafeEqual(hash(request.headers.authorization ?? ''), hash(`Bearer ${token}`))) return;
  throw new Refused(401, 'Cannot answer without the token: open the address that npm run console printed');
}

/** The JSON of a call from the page. */
export async function readCall(request: IncomingMessage): Promise<unknown> {
  if (request.method !== 'POST') throw new Refused(405, 'Cannot answer: a call must be a POST request');
  refuseOtherSites(request.headers);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_BODY_BYTES) throw new Refused(413, 'Cannot answer: the request is too large');
  return parseCall(Buffer.concat(chunks).toString());
}

/** Answers with the security headers, unless an answer was begun. */
export function respond(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  if (response.headersSent) return;
  response.writeHead(status, { ...securityHeaders(), 'Content-Type': type });
  response.end(body);
}

/** Answers with an error message, unless an answer was begun. */
export function respondWithError(response: ServerResponse, status: number, error: string): void {
  respond(response, status, 'application/json', JSON.stringify({ error }));
}
