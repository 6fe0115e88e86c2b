/** The events and answers of REST APIs. */
import { randomUUID } from 'node:crypto';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import * as z from 'zod';
import type { Invocable } from '../functions/local-function.ts';
import { type HttpAnswer, type HttpRequest, header, jsonAnswer, queryOf } from '../http.ts';
import { LOCAL_ACCOUNT } from '../stack/physical-resources.ts';
import { answerInParts, httpAnswer, sameName, scalar } from './answer-in-parts.ts';
import { commonLogTime } from './common-log-time.ts';

/** A method of a REST API, with the function behind it. */
export interface RestApiMethod {
  /** As the template has it: `ANY`, `POST`, … */
  readonly httpMethod: string;
  readonly resourceId: string;
  /** Such as `/mails/new`. */
  readonly resourcePath: string;
  readonly target: Invocable;
}

export interface RestApi {
  readonly apiId: string;
  readonly stage: string;
  readonly region: string;
  readonly binaryMediaTypes: readonly string[];
  readonly methods: readonly RestApiMethod[];
}

interface RestApiRequest {
  readonly api: RestApi;
  readonly request: HttpRequest;
  readonly method: RestApiMethod;
  /** Without the stage. */
  readonly path: string;
  readonly now: Date;
}

/**
 * The event that API Gateway hands to a function behind a REST API with proxy integration.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
export function restApiEvent(options: RestApiRequest): APIGatewayProxyEvent {
  const { api, request, method, path, now } = options;
  const requestId = randomUUID();
  const domainName = `${api.apiId}.execute-api.${api.region}.amazonaws.com`;
  const headers = groups([
    ...request.headers,
    [
      'X-Amzn-Trace-Id',
      `Root=1-${Math.floor(now.getTime() / 1000).toString(16)}-${requestId.replaceAll('-', '').slice(0, 24)}`,
    ],
    ['X-Forwarded-For', request.sourceIp],
    ['X-Forwarded-Port', '443'],
    ['X-Forwarded-Proto', 'https'],
  ]);
  const query = queryOf(request);
  const isBase64Encoded = request.body.length > 0 && isBinary(api.binaryMediaTypes, header(request, 'content-type'));
  return {
    resource: method.resourcePath,
    path,
    httpMethod: request.method,
    headers: lastOfEach(headers),
    multiValueHeaders: Object.fromEntries(headers),
    queryStringParameters: query.size === 0 ? null : lastOfEach(query),
    multiValueQueryStringParameters: query.size === 0 ? null : Object.fromEntries(query),
    pathParameters: null,
    stageVariables: null,
    requestContext: {
      accountId: LOCAL_ACCOUNT,
      apiId: api.apiId,
      authorizer: undefined,
      domainName,
      domainPrefix: api.apiId,
      extendedRequestId: requestId.replaceAll('-', '').slice(0, 16),
      httpMethod: request.method,
      identity: { ...NOBODY, sourceIp: request.sourceIp, userAgent: header(request, 'user-agent') ?? null },
      path: `/${api.stage}${path}`,
      protocol: request.protocol,
      requestId,
      requestTime: commonLogTime(now),
      requestTimeEpoch: now.getTime(),
      resourceId: method.resourceId,
      resourcePath: method.resourcePath,
      stage: api.stage,
    },
    body: request.body.length === 0 ? null : request.body.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  };
}

const NOBODY = {
  accessKey: null,
  accountId: null,
  apiKey: null,
  apiKeyId: null,
  caller: null,
  clientCert: null,
  cognitoAuthenticationProvider: null,
  cognitoAuthenticationType: null,
  cognitoIdentityId: null,
  cognitoIdentityPoolId: null,
  principalOrgId: null,
  user: null,
  userArn: null,
};

/** Whatever else a function returns is a malformed answer to API Gateway. */
const functionAnswer = answerInParts
  .extend({ multiValueHeaders: z.record(z.string(), z.array(scalar)).nullish() })
  .strict();

/** What the client gets for what the function returned: 502 if that has not the form of an answer. */
export function restApiAnswer(payload: unknown, requestId: string): HttpAnswer {
  const parsed = functionAnswer.safeParse(payload);
  if (!parsed.success) return jsonAnswer(502, { message: 'Internal server error' });
  const { headers, multiValueHeaders } = parsed.data;
  const multiple = Object.entries(multiValueHeaders ?? {});
  const single = Object.entries(headers ?? {}).filter(([name]) => !multiple.some(([other]) => sameName(other, name)));
  const each = multiple.flatMap(([name, values]) => values.map((value) => [name, value] as const));
  return httpAnswer(parsed.data, [...each, ...single, ['x-amzn-RequestId', requestId]]);
}

/** `*` may stand for either half of a media type. */
function isBinary(binaryMediaTypes: readonly string[], contentType = 'application/json'): boolean {
  const [type, subtype] = (contentType.split(';')[0] ?? '').trim().toLowerCase().split('/');
  return binaryMediaTypes.some((binary) => {
    const [binaryType, binarySubtype] = binary.toLowerCase().split('/');
    return [type, '*'].includes(binaryType) && [subtype, '*'].includes(binarySubtype);
  });
}

/** Values by name, the name as it was sent first. */
function groups(headers: readonly (readonly [string, string])[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const known = Array.from(found.keys()).find((other) => sameName(other, name));
    found.set(known ?? name, [...(found.get(known ?? name) ?? []), value]);
  }
  return found;
}

const lastOfEach = (values: ReadonlyMap<string, readonly string[]>) =>
  Object.fromEntries(Array.from(values, ([name, all]) => [name, all.at(-1) ?? '']));
