/** The HTTP server of SendGrid's API. */
import { createServer, type Server } from 'node:http';
import { messageOf } from '../../files.ts';
import { type HttpAnswer, type HttpRequest, header, jsonAnswer, readRequest, sendAnswer } from '../../http.ts';
import { jsonOrUndefined } from '../../json.ts';
import { errorsAnswer, problem } from './errors.ts';
import { type AcceptedMail, readMailSend } from './mail-send.ts';
import { scopesOf } from './scopes.ts';
import type { WebhookApiRequest } from './webhook-api.ts';

/** What the API needs to know and to do. */
interface ApiOptions {
  /** The API key that is accepted; asked at each request. */
  readonly apiKey: () => string | Promise<string>;
  /** Takes a mail that is valid and not for the sandbox. @returns its `X-Message-Id` */
  readonly accept: (mail: AcceptedMail) => string;
  /** The entries of a suppression list, such as `bounces`; undefined if there is no such list. */
  readonly suppressions: (list: string) => readonly object[] | undefined;
  /** Answers the calls that set up Event Webhooks. It is called only if the key may make them. */
  readonly webhooks: (request: WebhookApiRequest) => HttpAnswer;
  readonly report: (line: string) => void;
}

/** https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations */
const MAX_BODY_BYTES = 30 * 1024 * 1024;

/** nginx in front of the API answers a body that is too large. */
const TOO_LARGE: HttpAnswer = {
  status: 413,
  headers: [['Content-Type', 'text/html']],
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
 * A server that answers `POST /v3/mail/send`, `GET /v3/scopes`, `GET /v3/suppression/…` and the calls below
 * `/v3/user/webhooks/event` as SendGrid does, and 404 to all other paths. It does not listen yet.
 */
export function sendGridServer(options: ApiOptions): Server {
  return createServer(async (message, response) => {
    const answered = readRequest(message, MAX_BODY_BYTES)
      .then((request) => answer(request, options))
      .catch((error: unknown) => {
        // A client that disconnects while it sends is not reported.
        if (message.complete) options.report(`Cannot answer ${message.method} ${message.url}: ${messageOf(error)}`);
        return problem(500, 'Internal Server Error');
      });
    response.setHeader('Server', 'nginx');
    sendAnswer(response, await answered);
  });
}

async function answer(request: HttpRequest, options: ApiOptions): Promise<HttpAnswer> {
  const { method, path, body } = request;
  if (body.length > MAX_BODY_BYTES) return TOO_LARGE;
  if ([WEBHOOKS, SUPPRESSION].some((start) => path.startsWith(start)) || path === '/v3/scopes')
    return administer(request, options);
  if (path !== '/v3/mail/send') return problem(404, 'not found');
  if (method !== 'POST') return problem(405, 'method not allowed');
  if (header(request, 'authorization') !== `Bearer ${await options.apiKey()}`) return UNAUTHORIZED;
  if (!/^application\/json\b/i.test(header(request, 'content-type') ?? '')) {
    return problem(415, 'Content-Type should be application/json.');
  }
  const message = jsonOrUndefined(body.toString());
  if (message === undefined) return problem(400, 'Bad Request');
  const read = readMailSend(message);
  if ('errors' in read) return errorsAnswer(400, read.errors);
  if (read.mail.sandbox) return { status: 200 };
  return { status: 202, headers: [['X-Message-Id', options.accept(read.mail)]] };
}

/** Answers the calls that do not send mail. A key without the scope gets 403. */
function administer(request: HttpRequest, { webhooks, suppressions }: ApiOptions): HttpAnswer {
  const { method, path, body } = request;
  const scopes = scopesOf(header(request, 'authorization'));
  if (scopes === undefined) return UNAUTHORIZED;
  if (path === '/v3/scopes') return jsonAnswer(200, { scopes });
  if (path.startsWith(SUPPRESSION)) {
    if (!scopes.includes('suppression.read')) return problem(403, 'access forbidden');
    const list = suppressions(path.slice(SUPPRESSION.length));
    if (method !== 'GET' || list === undefined) return problem(404, 'not found');
    const query = new URLSearchParams(request.rawQuery);
    const offset = Number(query.get('offset') ?? 0);
    return jsonAnswer(200, list.slice(offset, offset + Math.min(500, Number(query.get('limit') ?? 500))));
  }
  if (!scopes.some((scope) => scope.startsWith('user.webhooks.event'))) return problem(403, 'access forbidden');
  return webhooks({ call: `${method} ${path.slice(WEBHOOKS.length)}`, body: jsonOrUndefined(body.toString()) });
}

const WEBHOOKS = '/v3/user/webhooks/event';
const SUPPRESSION = '/v3/suppression/';
const UNAUTHORIZED = problem(401, 'The provided authorization grant is invalid, expired, or revoked');
