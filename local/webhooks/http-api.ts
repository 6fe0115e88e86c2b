/** Serves HTTP APIs with their JWT authorizers. */
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import * as z from 'zod';
import { FunctionError, type Invocable, MAX_EVENT_BYTES, ThrottledError } from '../functions/local-function.ts';
import { type HttpAnswer, type HttpRequest, header, jsonAnswer } from '../http.ts';
import type { Permissions } from '../stack/permissions.ts';
import { LOCAL_ACCOUNT } from '../stack/physical-resources.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import { functionUrlAnswer, functionUrlEvent } from './function-url-event.ts';
import type { Route } from './gateway.ts';

const routeProperties = z.object({
  ApiId: z.string(),
  RouteKey: z.string(),
  Target: z.string(),
  AuthorizationType: z.enum(['NONE', 'JWT']).default('NONE'),
  AuthorizerId: z.string().optional(),
});
const integrationProperties = z.object({ IntegrationType: z.literal('AWS_PROXY'), IntegrationUri: z.string() });
const authorizerProperties = z.object({
  AuthorizerType: z.literal('JWT'),
  JwtConfiguration: z.object({ Audience: z.array(z.string()), Issuer: z.string() }),
});

/** API Gateway's quota for HTTP APIs. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** An authorizer accepts signatures by RSA only (API Gateway Developer Guide, "Control access to HTTP APIs with JWT authorizers"). */
const ALGORITHMS = ['RS256', 'RS384', 'RS512'];

interface HttpApiOptions {
  readonly template: ResolvedTemplate;
  readonly region: string;
  readonly functions: ReadonlyMap<string, Invocable>;
  readonly permissions: Permissions;
  /** Replaces the issuers of the template. */
  readonly issuer: string;
}

/** The template's HTTP APIs. They take every path that no other route takes. */
export function httpApiRoutes({ template, region, functions, permissions, issuer }: HttpApiOptions): Route[] {
  const integrations = byRef(template, 'AWS::ApiGatewayV2::Integration', integrationProperties);
  const authorizers = byRef(template, 'AWS::ApiGatewayV2::Authorizer', authorizerProperties);
  const routes = Array.from(template.resources('AWS::ApiGatewayV2::Route', routeProperties), ([id, properties]) => {
    const integration = integrations.get(properties.Target.replace(/^integrations\//, ''));
    const target = functions.get(integration?.IntegrationUri ?? '');
    if (target === undefined) throw new Error(`Cannot serve ${id}: its integration names no function of the stack`);
    const { Audience } = authorizers.get(properties.AuthorizerId ?? '')?.JwtConfiguration ?? {};
    if (properties.AuthorizationType === 'JWT' && Audience === undefined)
      throw new Error(`Cannot serve ${id}: it has no authorizer`);
    const [method = '', path = ''] = properties.RouteKey.split(' ');
    const authorize = Audience && jwtAuthorizer(issuer, Audience);
    return {
      routeKey: properties.RouteKey,
      apiId: properties.ApiId,
      path,
      method,
      pattern: patternOf(path),
      target,
      authorize,
    };
  });
  if (routes.length === 0) return [];
  const handle = async (request: HttpRequest): Promise<HttpAnswer> => {
    const route = routes.find(({ method, pattern }) => method === request.method && pattern.test(request.path));
    if (route === undefined) return jsonAnswer(404, { message: 'Not Found' });
    const { routeKey, apiId, path, pattern, target } = route;
    const claims = await route.authorize?.(header(request, 'authorization') ?? '');
    if (claims === null) return jsonAnswer(401, { message: 'Unauthorized' }, [['www-authenticate', 'Bearer']]);
    const arn = `arn:aws:execute-api:${region}:${LOCAL_ACCOUNT}:${apiId}/$default/${request.method}${path}`;
    if (!permissions.allowApiMethod(target.arn, arn)) return jsonAnswer(500, { message: 'Internal Server Error' });
    const event = functionUrlEvent({ request, region, urlId: apiId, now: new Date() });
    const { groups } = pattern.exec(request.path) ?? {};
    return invoke(target, {
      ...event,
      routeKey,
      ...(groups && { pathParameters: { ...groups } }),
      requestContext: {
        ...event.requestContext,
        routeKey,
        ...(claims && { authorizer: { jwt: { claims, scopes: null } } }),
      },
    });
  };
  return [{ serves: () => true, maxBodyBytes: MAX_BODY_BYTES, handle }];
}

function byRef<Shape extends z.ZodRawShape>(template: ResolvedTemplate, type: string, schema: z.ZodObject<Shape>) {
  return new Map(Array.from(template.resources(type, schema), ([id, properties]) => [template.ref(id), properties]));
}

/** `/api/{call}` as an expression with a named group. */
const patternOf = (path: string) => new RegExp(`^${path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);

async function invoke(target: Invocable, event: APIGatewayProxyEventV2): Promise<HttpAnswer> {
  if (Buffer.byteLength(JSON.stringify(event)) > MAX_EVENT_BYTES) {
    return jsonAnswer(413, { message: 'Request Entity Too Large' });
  }
  try {
    const { payload } = await target.invoke(event, 'refuse');
    return functionUrlAnswer(payload, event.requestContext.requestId);
  } catch (error) {
    if (error instanceof FunctionError) return jsonAnswer(500, { message: 'Internal Server Error' });
    if (error instanceof ThrottledError) return jsonAnswer(503, { message: 'Service Unavailable' });
    throw error;
  }
}

/** @returns a function that returns the claims of a token as an authorizer passes them on, or null if it refuses the token */
function jwtAuthorizer(
  issuer: string,
  audience: string[],
): (authorization: string) => Promise<Record<string, string> | null> {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  return async (authorization) => {
    try {
      const token = authorization.replace(/^Bearer /i, '');
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp'],
      });
      const { aud, client_id: clientId } = payload;
      // `client_id` counts only where there is no `aud`.
      const named = [aud ?? clientId].flat();
      if (!named.some((name) => typeof name === 'string' && audience.includes(name))) return null;
      return passedOn(payload);
    } catch {
      return null;
    }
  };
}

/** Every claim as text; a list with spaces between its parts. */
function passedOn(payload: JWTPayload): Record<string, string> {
  const text = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => [
      name,
      Array.isArray(value) ? `[${value.map(text).join(' ')}]` : text(value),
    ]),
  );
}
