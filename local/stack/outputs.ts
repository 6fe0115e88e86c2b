/** Makes the stack's outputs, with local addresses. */
import * as z from 'zod';
import type { LocalStack } from './physical-resources.ts';
import type { ResolvedTemplate } from './template.ts';

/** The stack's outputs. The template puts together the address of a REST API itself; here it becomes the local address. */
export function localOutputs(template: ResolvedTemplate, stack: LocalStack): Record<string, string> {
  const apis = [...template.resources('AWS::ApiGateway::RestApi', z.object({})).keys()];
  const awsOrigins = apis.map((id) => `https://${template.ref(id)}.execute-api.${stack.region}.amazonaws.com/`);
  const toLocal = (value: string) => {
    const origin = awsOrigins.find((awsOrigin) => value.startsWith(awsOrigin));
    return origin === undefined ? value : `${stack.gatewayOrigin}/${value.slice(origin.length)}`;
  };
  return Object.fromEntries(Object.entries(template.outputs()).map(([key, value]) => [key, toLocal(value)]));
}
