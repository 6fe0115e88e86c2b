/** The HTTP server of SendGrid's API. */
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type Answer, errors, json, parseJson, problem } from './answer.ts';
import { type AcceptedMail, readMailSend } from './mail-send.ts';
import { scopesOf } from './scopes.ts';
import type { WebhookApiRequest } from './webhook-api.ts';

/** What the API needs to know and to do. */
export interface ApiOptions {
  /** The API key that is accepted; asked at each request. */
  readonly apiKey: () => Promise<string>;
  /** Takes a mail that is in order and not for the sandbox. @returns its `X-Message-Id` */
  readonly accept: (mail: AcceptedMail) => string;
  /** Answers what sets Event Webhooks up, once the key may. */
  readonly webhooks: (request: WebhookApiRequest) => Answer;
}

/** https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations */
const MAX_BODY_BYTES = 30 * 1024 * 1024;

/** nginx stands before the API, and answers too large a body itself. */
const TOO_LARGE: Answer = {
  status: 413,
  headers: { 'Content-Type': 'text/html' },
  body: `<html>\r
<head><title>413 Request Entity Too Large</title></head>\r
<body bgcolor="white">\r
<center><h1>413 Request Entity Too Large</h1></center>\r
<hr><center>nginx</center>\r
</body>\r
</html>\r
`,
};

/**
 * A server that answers as SendGrid does: `POST /v3/mail/send`, `GET /v3/scopes`, what is below
 * `/v3/user/webhooks/event`, and nothing else. It does not listen yet.
 */
export function sendGridServer(options: ApiOptions): http.Server {
  return http.createServer((request, response) => {
    answer(request, options)
      .catch(() => problem(500, 'Internal Server Error'))
      .then(({ status, headers, body = '' }) => {
        response
          .writeHead(status, { Server: 'nginx', 'Content-Length': Buffer.byteLength(body), ...headers })
          .end(body);
      });
  });
}

async function answer(request: http.IncomingMessage, options: ApiOptions): Promise<Answer> {
  // Read to its end even where it is not wanted: a client sends all of it before it listens.
  const body = await buffer(request);
  if (body.length > MAX_BODY_BYTES) return TOO_LARGE;
  const path = request.url?.split('?', 1)[0] ?? '';
  if (path.startsWith(WEBHOOKS) || path === '/v3/scopes') return administer(request, path, body, options);
  if (path !== '/v3/mail/send') return problem(404, 'not found');
  if (request.method !== 'POST') return problem(405, 'method not allowed');
  if (request.headers.authorization !== `Bearer ${await options.apiKey()}`) return UNAUTHORIZED;
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    return problem(415, 'Content-Type should be application/json.');
  }
  const message = parseJson(body.toString());
  if (message === undefined) return problem(400, 'Bad Request');
  const read = readMailSend(message);
  if ('errors' in read) return errors(400, read.errors);
  if (read.mail.sandbox) return { status: 200 };
  return { status: 202, headers: { 'X-Message-Id': options.accept(read.mail) } };
}

/** What is not about mail. A key that may not do it gets 403. */
function administer(request: http.IncomingMessage, path: string, body: Buffer, { webhooks }: ApiOptions): Answer {
  const scopes = scopesOf(request.headers.authorization);
  if (scopes === undefined) return UNAUTHORIZED;
  if (path === '/v3/scopes') return json(200, { scopes });
  if (!scopes.some((scope) => scope.startsWith('user.webhooks.event'))) return problem(403, 'access forbidden');
  return webhooks({ call: `${request.method} ${path.slice(WEBHOOKS.length)}`, body: parseJson(body.toString()) });
}

const WEBHOOKS = '/v3/user/webhooks/event';
const UNAUTHORIZED = problem(401, 'The provided authorization grant is invalid, expired, or revoked');
