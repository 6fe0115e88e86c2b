/** Makes the events of function URLs, and HTTP answers from what functions return. */
import { randomUUID } from 'node:crypto';
import type { LambdaFunctionURLEvent } from 'aws-lambda';
import { type HttpAnswer, type HttpRequest, header, jsonAnswer } from '../http.ts';
import { answerInParts, httpAnswer } from './answer-in-parts.ts';

interface FunctionUrlRequest {
  /** With the path that the function sees. */
  readonly request: HttpRequest;
  readonly region: string;
  /** The first part of the domain. */
  readonly urlId: string;
  readonly now: Date;
}

/**
 * The event that a function URL hands to its function: payload format 2.0, without `queryStringParameters` and `cookies`,
 * which no function of the stack reads.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
export function functionUrlEvent({ request, region, urlId, now }: FunctionUrlRequest): LambdaFunctionURLEvent {
  const domainName = `${urlId}.lambda-url.${region}.on.aws`;
  const requestId = randomUUID();
  const isBase64Encoded = request.body.length > 0 && !isText(request);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: request.path,
    rawQueryString: request.rawQuery,
    headers: joined(request.headers),
    requestContext: {
      accountId: 'anonymous',
      apiId: urlId,
      domainName,
      domainPrefix: urlId,
      http: {
        method: request.method,
        path: request.path,
        protocol: request.protocol,
        sourceIp: request.sourceIp,
        userAgent: header(request, 'user-agent') ?? '',
      },
      requestId,
      routeKey: '$default',
      stage: '$default',
      time: now.toUTCString(),
      timeEpoch: now.getTime(),
    },
    ...(request.body.length > 0 && { body: request.body.toString(isBase64Encoded ? 'base64' : 'utf8') }),
    isBase64Encoded,
  };
}

/** An object with a status code becomes the answer itself. Any other value becomes a JSON body with status 200. */
export function functionUrlAnswer(payload: unknown, requestId: string): HttpAnswer {
  const id = ['x-amzn-RequestId', requestId] as const;
  const isStructured = typeof payload === 'object' && payload !== null && 'statusCode' in payload;
  if (!isStructured) {
    return typeof payload === 'string'
      ? { status: 200, headers: [['Content-Type', 'application/json'], id], body: payload }
      : jsonAnswer(200, payload, [id]);
  }
  const parsed = answerInParts.safeParse(payload);
  if (!parsed.success) return { status: 502, headers: [id], body: 'Internal Server Error' };
  return httpAnswer(parsed.data, [...Object.entries(parsed.data.headers ?? {}), id]);
}

/** Only bodies of these types arrive as text. Forms and compressed bodies arrive as base64. */
function isText(request: HttpRequest): boolean {
  if (header(request, 'content-encoding') !== undefined) return false;
  const type = (header(request, 'content-type')?.split(';')[0] ?? '').trim().toLowerCase();
  return /^text\/|^application\/(json|xml|javascript)$|\+(json|xml)$/.test(type);
}

/** Lower-case names; several values become one with commas. */
function joined(headers: HttpRequest['headers']): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    found[key] = key in found ? `${found[key]},${value}` : value;
  }
  return found;
}
