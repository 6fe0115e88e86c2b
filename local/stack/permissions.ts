/** Reads the permissions to call functions from outside. */
import * as z from 'zod';
import type { ResolvedTemplate } from './template.ts';

const permissionProperties = z.object({
  Action: z.string(),
  FunctionName: z.string(),
  FunctionUrlAuthType: z.string().optional(),
  InvokedViaFunctionUrl: z.boolean().optional(),
  Principal: z.string(),
  SourceArn: z.string().optional(),
});

/** Who outside may call the functions, as the template's `AWS::Lambda::Permission`s say. */
export interface Permissions {
  /** Whether anybody may call the function by its URL. Since October 2025 this needs two statements. */
  allowFunctionUrl(functionArn: string): boolean;
  /** Whether API Gateway may call the function for a method, such as `arn:aws:execute-api:…:api/v1/POST/path`. */
  allowApiMethod(functionArn: string, methodArn: string): boolean;
}

/** @see https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html */
export function readPermissions(template: ResolvedTemplate): Permissions {
  const permissions = [...template.resources('AWS::Lambda::Permission', permissionProperties).values()];
  const of = (functionArn: string, action: string) =>
    permissions.filter(
      ({ FunctionName, Action }) =>
        Action === action && (FunctionName === functionArn || functionArn.endsWith(`:function:${FunctionName}`)),
    );
  return {
    allowFunctionUrl: (functionArn) =>
      of(functionArn, 'lambda:InvokeFunctionUrl').some(
        (permission) => permission.Principal === '*' && permission.FunctionUrlAuthType === 'NONE',
      ) &&
      of(functionArn, 'lambda:InvokeFunction').some(
        (permission) => permission.Principal === '*' && permission.InvokedViaFunctionUrl === true,
      ),
    allowApiMethod: (functionArn, methodArn) =>
      of(functionArn, 'lambda:InvokeFunction').some(
        ({ Principal, SourceArn }) =>
          Principal === 'apigateway.amazonaws.com' && (SourceArn === undefined || arnFits(SourceArn, methodArn)),
      ),
  };
}

/** `ArnLike`: `*` stands for any text and `?` for one character. */
function arnFits(pattern: string, arn: string): boolean {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(arn);
}
