import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { SendGridError } from './errors.ts';
import { type AcceptedMail, readMailSend } from './mail-send.ts';

/** What a Mail Send API needs to know and to do. */
export interface MailSendServerOptions {
  /** The API key that is accepted; asked at each request. */
  readonly apiKey: () => Promise<string>;
  /** Takes a mail that is in order and not for the sandbox. @returns its `X-Message-Id` */
  readonly accept: (mail: AcceptedMail) => string;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
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

/** A server that answers `POST /v3/mail/send` as SendGrid does, and nothing else. It does not listen yet. */
export function mailSendServer(options: MailSendServerOptions): http.Server {
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

async function answer(request: http.IncomingMessage, options: MailSendServerOptions): Promise<Answer> {
  // Read to its end even where it is not wanted: a client sends all of it before it listens.
  const body = await buffer(request);
  if (body.length > MAX_BODY_BYTES) return TOO_LARGE;
  if (request.url?.split('?', 1)[0] !== '/v3/mail/send') return problem(404, 'not found');
  if (request.method !== 'POST') return problem(405, 'method not allowed');
  if (request.headers.authorization !== `Bearer ${await options.apiKey()}`) {
    return problem(401, 'The provided authorization grant is invalid, expired, or revoked');
  }
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    return problem(415, 'Content-Type should be application/json.');
  }
  const json = parseJson(body.toString());
  if (json === undefined) return problem(400, 'Bad Request');
  const read = readMailSend(json);
  if ('errors' in read) return errors(400, read.errors);
  if (read.mail.sandbox) return { status: 200 };
  return { status: 202, headers: { 'X-Message-Id': options.accept(read.mail) } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problem(status: number, message: string): Answer {
  return errors(status, [{ message, field: null, help: null }]);
}

function errors(status: number, errors: readonly SendGridError[]): Answer {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ errors }) };
}
