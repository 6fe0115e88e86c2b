/** Asks an IAM evaluator whether a template's policies allow a request. */
import { anonymousPrincipal, runSimulation } from '@cloud-copilot/iam-simulate';
import { LOCAL_ACCOUNT } from '../../local/stack/physical-resources.ts';
import { holdersOf, type Policies, type Statement } from './policies.ts';
import type { IamRequest } from './requests.ts';

/** AWS's default: a service control policy that allows everything. */
const NO_BOUNDARY = [
  {
    orgIdentifier: 'o-root',
    policies: [
      { name: 'All', policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] } },
    ],
  },
];

/** @throws Error if the evaluator does not understand the request, because its answer would then mean nothing */
export async function isAllowed(request: IamRequest, policies: Policies): Promise<boolean> {
  const { principal, action, resource, context } = request;
  const identity = typeof principal === 'object' && 'caller' in principal ? principal.caller : undefined;
  const holders = identity === undefined ? [] : holdersOf(identity);
  const statements = holders.flatMap((holder) => policies.identities.get(holder) ?? []);
  const resourceStatements = policies.resources.get(resource);
  const result = await runSimulation(
    {
      request: {
        principal: principalOf(principal),
        action,
        resource: { resource, accountId: LOCAL_ACCOUNT },
        contextVariables: JSON.parse(readable(JSON.stringify(context))),
      },
      identityPolicies: statements.length > 0 ? [{ name: 'granted', policy: document(statements) }] : [],
      serviceControlPolicies: identity === undefined ? [] : NO_BOUNDARY,
      resourceControlPolicies: [],
      ...(resourceStatements && resourceStatements.length > 0 && { resourcePolicy: document(resourceStatements) }),
    },
    {},
  );
  if (result.resultType === 'error') {
    throw new Error(`Cannot evaluate ${action} on ${resource}: ${JSON.stringify(result.errors)}`);
  }
  return result.overallResult === 'Allowed';
}

function principalOf(principal: IamRequest['principal']) {
  if (principal === 'anybody') return anonymousPrincipal;
  if ('service' in principal) return principal.service;
  return `arn:aws:sts::${LOCAL_ACCOUNT}:assumed-role/${principal.caller}/session`;
}

/** Leaves out missing fields, because the evaluator checks the grammar. */
function document(statements: readonly Statement[]) {
  return { Version: '2012-10-17', Statement: JSON.parse(readable(JSON.stringify(statements))) };
}

/** The evaluator does not know encryption context keys that are ARNs. They are replaced, in policy and request alike. */
function readable(text: string): string {
  return text.replaceAll('kms:EncryptionContext:aws:logs:arn', 'aws:SourceArn');
}
