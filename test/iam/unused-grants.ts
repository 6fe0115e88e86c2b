/** Finds the grants that nothing needs: those without which all that was allowed would be allowed still. */
import { isAllowed } from './decide.ts';
import { type Grant, holdersOf, type Policies, without } from './policies.ts';
import type { IamRequest } from './requests.ts';

/**
 * @param allowed what was asked and allowed while every path was walked
 * @returns a line for each of `grants` that none of it needs
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
    // The likeliest first: one that is refused is enough.
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

/** Whether a request may need a grant: only these are asked again without it. */
function concerns({ kind, holder }: Grant, { principal, resource }: IamRequest): boolean {
  if (kind === 'resources') return resource === holder;
  return typeof principal === 'object' && 'caller' in principal && holdersOf(principal.caller).includes(holder);
}
