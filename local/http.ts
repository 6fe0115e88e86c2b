/** HTTP requests and answers as values. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request as it came in. */
export interface HttpRequest {
  readonly method: string;
  /** Percent-encoded, as it was sent, without the query. */
  readonly path: string;
  /** As it was sent, without the question mark. */
  readonly rawQuery: string;
  /** In the order and the case in which they were sent; a name may come again. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly sourceIp: string;
  /** Such as `HTTP/1.1`. */
  readonly protocol: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Buffer;
}

/** A JSON answer. */
export function jsonAnswer(status: number, body: unknown, headers: HttpAnswer['headers'] = []): HttpAnswer {
  return { status, headers: [['Content-Type', 'application/json'], ...headers], body: JSON.stringify(body) };
}

/** The last value of a header, by its name in any case. */
export function header(request: HttpRequest, name: string): string | undefined {
  return request.headers.findLast(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}

/** Reads a whole request. A body that is longer than `maxBodyBytes` is cut, but stays longer than this. */
export async function readRequest(message: IncomingMessage, maxBodyBytes: number): Promise<HttpRequest> {
  const chunks: Buffer[] = [];
  let bodyBytes = 0;
  for await (const chunk of message) {
    // A body that is too long is still read to its end, so that the client reads the answer.
    if (bodyBytes <= maxBodyBytes) chunks.push(chunk);
    bodyBytes += chunk.length;
  }
  const [path = '/', ...query] = (message.url ?? '/').split('?');
  return {
    method: message.method ?? 'GET',
    path,
    rawQuery: query.join('?'),
    headers: pairs(message.rawHeaders),
    body: Buffer.concat(chunks),
    sourceIp: message.socket.remoteAddress ?? '127.0.0.1',
    protocol: `HTTP/${message.httpVersion}`,
  };
}

/** Sends an answer; nothing happens if the client has gone. */
export function sendAnswer(response: ServerResponse, answer: HttpAnswer): void {
  for (const [name, value] of answer.headers ?? []) response.appendHeader(name, value);
  response.statusCode = answer.status;
  response.end(answer.body);
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index) =>
    index % 2 === 0 ? [[name, flat[index + 1] ?? ''] satisfies [string, string]] : [],
  );
}
