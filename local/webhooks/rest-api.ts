/** Serves REST APIs. */
import * as z from 'zod';
import { FunctionError, type Invocable, MAX_EVENT_BYTES, ThrottledError } from '../functions/local-function.ts';
import { type HttpAnswer, type HttpRequest, jsonAnswer } from '../http.ts';
import type { Permissions } from '../stack/permissions.ts';
import { LOCAL_ACCOUNT } from '../stack/physical-resources.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import type { Route } from './gateway.ts';
import { type RestApi, type RestApiMethod, restApiAnswer, restApiEvent } from './rest-api-event.ts';

/** API Gateway's quotas for REST APIs. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
const INTEGRATION_TIMEOUT_MS = 29_000;

const apiProperties = z.object({ BinaryMediaTypes: z.array(z.string()).default([]) });
/** The stack has no path parameters. */
const pathPart = z.string().regex(/^[^{}]+$/, 'path parameters are not served here');
const resourceProperties = z.object({ ParentId: z.string(), PathPart: pathPart, RestApiId: z.string() });
const stageProperties = z.object({ RestApiId: z.string(), StageName: z.string() });
const methodProperties = z.object({
  AuthorizationType: z.literal('NONE'),
  HttpMethod: z.string(),
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
  const stages = [...template.resources('AWS::ApiGateway::Stage', stageProperties).values()];
  return Array.from(template.resources('AWS::ApiGateway::RestApi', apiProperties)).flatMap(
    ([logicalId, properties]) => {
      const apiId = template.ref(logicalId);
      const methods = methodsOf(template, logicalId, functions);
      return stages
        .filter(({ RestApiId }) => RestApiId === apiId)
        .map(({ StageName: stage }) =>
          routeOf({ apiId, stage, region, binaryMediaTypes: properties.BinaryMediaTypes, methods }, permissions),
        );
    },
  );
}

function methodsOf(
  template: ResolvedTemplate,
  apiLogicalId: string,
  functions: ReadonlyMap<string, Invocable>,
): RestApiMethod[] {
  const resources = new Map(
    Array.from(template.resources('AWS::ApiGateway::Resource', resourceProperties), ([id, properties]) => [
      template.ref(id),
      properties,
    ]),
  );
  const pathOf = (resourceId: string): string => {
    const resource = resources.get(resourceId);
    return resource === undefined ? '' : `${pathOf(resource.ParentId)}/${resource.PathPart}`;
  };
  return Array.from(template.resources('AWS::ApiGateway::Method', methodProperties))
    .filter(([, { RestApiId }]) => RestApiId === template.ref(apiLogicalId))
    .map(([id, { HttpMethod, Integration, ResourceId }]) => {
      const functionArn = /:path\/2015-03-31\/functions\/(.+)\/invocations$/.exec(Integration.Uri)?.[1] ?? '';
      const target = functions.get(functionArn);
      if (target === undefined)
        throw new Error(`Cannot serve ${id}: ${Integration.Uri} names no function of the stack`);
      return { httpMethod: HttpMethod, resourceId: ResourceId, resourcePath: pathOf(ResourceId) || '/', target };
    });
}

function routeOf(api: RestApi, permissions: Permissions): Route {
  const prefix = `/${api.stage}`;
  return {
    serves: (path) => path === prefix || path.startsWith(`${prefix}/`),
    maxBodyBytes: MAX_BODY_BYTES,
    async handle(request) {
      const path = request.path.slice(prefix.length) || '/';
      const method = methodFor(api.methods, request.method, path);
      if (method === undefined) return jsonAnswer(403, { message: 'Missing Authentication Token' });
      const methodArn = `arn:aws:execute-api:${api.region}:${LOCAL_ACCOUNT}:${api.apiId}/${api.stage}/${request.method}${path}`;
      if (!permissions.allowApiMethod(method.target.arn, methodArn)) return INTERNAL_SERVER_ERROR;
      return invoke(api, request, { method, path });
    },
  };
}

const INTERNAL_SERVER_ERROR = jsonAnswer(500, { message: 'Internal server error' });

async function invoke(
  api: RestApi,
  request: HttpRequest,
  match: { readonly method: RestApiMethod; readonly path: string },
): Promise<HttpAnswer> {
  const event = restApiEvent({ api, request, ...match, now: new Date() });
  const eventBytes = Buffer.byteLength(JSON.stringify(event));
  if (request.body.length > MAX_BODY_BYTES || eventBytes > MAX_EVENT_BYTES) {
    return jsonAnswer(413, { message: 'Request Too Long' });
  }
  const timedOut = Symbol('timed out');
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<typeof timedOut>((resolve) => {
    timer = setTimeout(resolve, INTEGRATION_TIMEOUT_MS, timedOut);
  });
  try {
    const invocation = await Promise.race([match.method.target.invoke(event, 'refuse'), timeout]);
    if (invocation === timedOut) return jsonAnswer(504, { message: 'Endpoint request timed out' });
    return restApiAnswer(invocation.payload, event.requestContext.requestId);
  } catch (error) {
    if (error instanceof FunctionError) return jsonAnswer(502, { message: 'Internal server error' });
    // Lambda's own refusal; API Gateway does not pass its 429 on.
    if (error instanceof ThrottledError) return INTERNAL_SERVER_ERROR;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The method of a path; undefined as on AWS: not 404 or 405 but 403. */
function methodFor(methods: readonly RestApiMethod[], httpMethod: string, path: string): RestApiMethod | undefined {
  const resourcePath = path.replace(/(.)\/$/, '$1');
  return methods.find(
    (method) =>
      method.resourcePath === resourcePath && (method.httpMethod === 'ANY' || method.httpMethod === httpMethod),
  );
}
