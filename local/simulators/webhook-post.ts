/** Posts to a webhook as providers do. */
import http from 'node:http';
import { messageOf } from '../files.ts';

/** A request to a webhook, ready to be sent. */
export interface WebhookPost {
  readonly headers: Readonly<Record<string, string>>;
  /** The exact bytes, which a signature may cover. */
  readonly body: Buffer;
}

/** SendGrid is reported to wait this long for a webhook. Customers Mail Cloud does not document its own limit. */
const TIMEOUT_MS = 10_000;

/**
 * Posts to a webhook the way the providers do: any 2xx is success, a redirect is not followed, and a late answer does not
 * count. Never rejects.
 *
 * @param url an `http:` address
 * @returns undefined if the webhook accepted it, otherwise what went wrong, such as `webhook answered 401`, without mail data
 */
export function postToWebhook(
  url: string,
  { headers, body }: WebhookPost,
  signal: AbortSignal,
  timeoutMs = TIMEOUT_MS,
): Promise<string | undefined> {
  return new Promise<string | undefined>((resolve) => {
    const settle = (refusal: string | undefined) => {
      clearTimeout(timer);
      resolve(refusal);
    };
    const fail = (error: Error) => settle(`webhook did not answer: ${'code' in error ? error.code : error.message}`);
    // No agent: a connection that is kept alive would outlive the simulator.
    const request = http.request(url, { method: 'POST', agent: false, signal, headers });
    const timer = setTimeout(() => request.destroy(new Error(`not within ${timeoutMs / 1000} s`)), timeoutMs);
    request.on('error', fail);
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      response.on('error', fail);
      response.on('end', () => settle(status >= 200 && status < 300 ? undefined : `webhook answered ${status}`));
      response.resume();
    });
    request.end(body);
  }).catch((error: unknown) => `webhook cannot be posted to: ${messageOf(error)}`);
}
