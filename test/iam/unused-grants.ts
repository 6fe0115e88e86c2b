/** Finds unused grants: without such a grant, every request that was allowed would still be allowed. */
import { isAllowed } from './decide.ts';
import { type Grant, holdersOf, type Policies, without } from './policies.ts';
import type { IamRequest } from './requests.ts';

/**
 * @param allowed the requests that were allowed while every code path ran
 * @returns one line for each of `grants` that no request needs
 */
export async function unusedGrants(
  grants: readonly Grant[],
  allowed: Iterable<IamRequest>,
  policies: Policies,
): Promise<string[]> {
  const requests = [...allowed];
  const unused: string[] = [];
  for (const grant of grants) {
    const lacking = without(policies, grant);
    const concerned = requests.filter((request) => concerns(grant, request));
    // Starts with the request that most likely needs the grant: one refusal is enough.
    const likeness = ({ action, resource }: IamRequest) =>
      Number(action === grant.action) + Number(resource === grant.resource);
    concerned.sort((a, b) => likeness(b) - likeness(a));
    if (await allAllowed(concerned, lacking)) {
      unused.push(`${grant.holder}: ${grant.action} on ${grant.resource ?? 'itself'}`);
    }
  }
  return unused;
}

async function allAllowed(requests: readonly IamRequest[], policies: Policies): Promise<boolean> {
  for (const request of requests) if (!(await isAllowed(request, policies))) return false;
  return true;
}

/** Whether a request may need a grant. Only such requests are checked again without it. */
function concerns({ kind, holder }: Grant, { principal, resource }: IamRequest): boolean {
  if (kind === 'resources') return resource === holder;
  return typeof principal === 'object' && 'caller' in principal && holdersOf(principal.caller).includes(holder);
}
