/** Serves function URLs. */
import * as z from 'zod';
import { FunctionError, type Invocable, MAX_EVENT_BYTES, ThrottledError } from '../functions/local-function.ts';
import { type HttpAnswer, jsonAnswer } from '../http.ts';
import type { Permissions } from '../stack/permissions.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import { functionUrlAnswer, functionUrlEvent } from './function-url-event.ts';
import type { Route } from './gateway.ts';

const urlProperties = z.object({ AuthType: z.enum(['NONE', 'AWS_IAM']), TargetFunctionArn: z.string() });

/** The template's function URLs, each under its own path, answering as Lambda does. */
export function functionUrlRoutes(
  template: ResolvedTemplate,
  region: string,
  functions: ReadonlyMap<string, Invocable>,
  permissions: Permissions,
): Route[] {
  return Array.from(template.resources('AWS::Lambda::Url', urlProperties), ([logicalId, properties]) => {
    const target = functions.get(properties.TargetFunctionArn);
    if (target === undefined) throw new Error(`Cannot serve ${logicalId}: there is no ${properties.TargetFunctionArn}`);
    // Requests are not signed here, so a URL for IAM users refuses all.
    const isPublic = properties.AuthType === 'NONE' && permissions.allowFunctionUrl(target.arn);
    return routeOf({
      target,
      region,
      urlId: template.ref(logicalId).toLowerCase(),
      prefix: new URL(template.attribute(logicalId, 'FunctionUrl')).pathname.replace(/\/$/, ''),
      isPublic,
    });
  });
}

interface FunctionUrl {
  readonly target: Invocable;
  readonly region: string;
  readonly urlId: string;
  /** The path below which it is served; the function does not see it. */
  readonly prefix: string;
  readonly isPublic: boolean;
}

function routeOf({ target, region, urlId, prefix, isPublic }: FunctionUrl): Route {
  return {
    serves: (path) => path === prefix || path.startsWith(`${prefix}/`),
    maxBodyBytes: MAX_EVENT_BYTES,
    async handle(request): Promise<HttpAnswer> {
      if (!isPublic) return jsonAnswer(403, { Message: 'Forbidden' }, [['x-amzn-ErrorType', 'AccessDeniedException']]);
      const path = request.path.slice(prefix.length) || '/';
      const event = functionUrlEvent({ request: { ...request, path }, region, urlId, now: new Date() });
      if (Buffer.byteLength(JSON.stringify(event)) > MAX_EVENT_BYTES) {
        return jsonAnswer(413, {
          Message: `Request must be smaller than ${MAX_EVENT_BYTES} bytes for the InvokeFunction operation`,
        });
      }
      try {
        const { payload } = await target.invoke(event, 'refuse');
        return functionUrlAnswer(payload, event.requestContext.requestId);
      } catch (error) {
        if (error instanceof FunctionError) return { status: 502, body: 'Internal Server Error' };
        if (error instanceof ThrottledError) {
          const Reason = 'ReservedFunctionConcurrentInvocationLimitExceeded';
          return jsonAnswer(429, { Reason, Type: 'User', message: 'Rate Exceeded.' });
        }
        throw error;
      }
    },
  };
}
