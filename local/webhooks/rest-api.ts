/** Serves REST APIs with paths directly below a stage, whose method ANY calls a function. The stack has no others. */
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { FunctionError, type Invocable, MAX_EVENT_BYTES, ThrottledError } from '../functions/local-function.ts';
import { type HttpAnswer, type HttpRequest, jsonAnswer } from '../http.ts';
import type { Permissions } from '../stack/permissions.ts';
import { LOCAL_ACCOUNT } from '../stack/physical-resources.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import { answerInParts, httpAnswer } from './answer-in-parts.ts';
import type { Route } from './gateway.ts';

/** API Gateway's quota for REST APIs. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** Every body is binary, so that the bytes arrive as they were signed. */
const apiProperties = z.object({ BinaryMediaTypes: z.tuple([z.literal('*/*')]) });
const resourceProperties = z.object({ ParentId: z.string(), PathPart: z.string().regex(/^[^{}]+$/) });
const stageProperties = z.object({ RestApiId: z.string(), StageName: z.string() });
const methodProperties = z.object({
  AuthorizationType: z.literal('NONE'),
  HttpMethod: z.literal('ANY'),
  Integration: z.object({ Type: z.literal('AWS_PROXY'), Uri: z.string() }),
  ResourceId: z.string(),
  RestApiId: z.string(),
});

/** The template's REST APIs, each stage under `/<stage>/`, answering as API Gateway does. */
export function restApiRoutes(
  template: ResolvedTemplate,
  region: string,
  functions: ReadonlyMap<string, Invocable>,
  permissions: Permissions,
): Route[] {
  const apis = [...template.resources('AWS::ApiGateway::RestApi', apiProperties).keys()];
  const stages = [...template.resources('AWS::ApiGateway::Stage', stageProperties).values()];
  return stages.map(({ RestApiId: apiId, StageName: stage }) => {
    const rootId = apis
      .filter((id) => template.ref(id) === apiId)
      .map((id) => template.attribute(id, 'RootResourceId'));
    const targets = targetsOf(template, apiId, rootId[0], functions);
    const prefix = `/${stage}`;
    return {
      serves: (path) => path === prefix || path.startsWith(`${prefix}/`),
      maxBodyBytes: MAX_BODY_BYTES,
      async handle(request) {
        const path = request.path.slice(prefix.length).replace(/\/$/, '');
        const target = targets.get(path);
        // As on AWS: not 404.
        if (target === undefined) return jsonAnswer(403, { message: 'Missing Authentication Token' });
        const methodArn = `arn:aws:execute-api:${region}:${LOCAL_ACCOUNT}:${apiId}/${stage}/${request.method}${path}`;
        if (!permissions.allowApiMethod(target.arn, methodArn)) return INTERNAL_SERVER_ERROR;
        return invoke(target, request, path);
      },
    };
  });
}

/** The functions of an API by path. */
function targetsOf(
  template: ResolvedTemplate,
  apiId: string,
  rootId: string | undefined,
  functions: ReadonlyMap<string, Invocable>,
): Map<string, Invocable> {
  const paths = new Map(
    Array.from(template.resources('AWS::ApiGateway::Resource', resourceProperties), ([id, { ParentId, PathPart }]) => {
      return [template.ref(id), ParentId === rootId ? `/${PathPart}` : undefined];
    }),
  );
  const methods = Array.from(template.resources('AWS::ApiGateway::Method', methodProperties));
  return new Map(
    methods
      .filter(([, { RestApiId }]) => RestApiId === apiId)
      .map(([id, { Integration, ResourceId }]) => {
        const path = paths.get(ResourceId);
        if (path === undefined) throw new Error(`Cannot serve ${id}: its path is not right below the stage`);
        const functionArn = /:path\/2015-03-31\/functions\/(.+)\/invocations$/.exec(Integration.Uri)?.[1] ?? '';
        const target = functions.get(functionArn);
        if (target === undefined)
          throw new Error(`Cannot serve ${id}: ${Integration.Uri} names no function of the stack`);
        return [path, target];
      }),
  );
}

const INTERNAL_SERVER_ERROR = jsonAnswer(500, { message: 'Internal server error' });
const BAD_GATEWAY = jsonAnswer(502, { message: 'Internal server error' });

async function invoke(target: Invocable, request: HttpRequest, path: string): Promise<HttpAnswer> {
  const event = restApiEvent(request, path);
  if (request.body.length > MAX_BODY_BYTES || Buffer.byteLength(JSON.stringify(event)) > MAX_EVENT_BYTES) {
    return jsonAnswer(413, { message: 'Request Too Long' });
  }
  try {
    const { payload } = await target.invoke(event, 'refuse');
    // API Gateway accepts no other fields.
    const answer = answerInParts.strict().safeParse(payload);
    if (!answer.success) return BAD_GATEWAY;
    const headers = Object.entries(answer.data.headers ?? {});
    return httpAnswer(answer.data, [...headers, ['x-amzn-RequestId', event.requestContext.requestId]]);
  } catch (error) {
    if (error instanceof FunctionError) return BAD_GATEWAY;
    // Lambda's own refusal; API Gateway does not pass its 429 on.
    if (error instanceof ThrottledError) return INTERNAL_SERVER_ERROR;
    throw error;
  }
}

/**
 * The fields that the stack's functions read of the event of a proxy integration.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
function restApiEvent({ method, headers, body }: HttpRequest, path: string) {
  return {
    path,
    httpMethod: method,
    // Names as they were sent. The last one of several values counts.
    headers: Object.fromEntries(headers),
    requestContext: { requestId: randomUUID() },
    body: body.length === 0 ? null : body.toString('base64'),
    isBase64Encoded: body.length > 0,
  };
}
