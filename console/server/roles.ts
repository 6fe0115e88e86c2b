/** Who may do what in the console of a team, by the claims of a verified token. Pure. */
import { mailboxKey } from '../../lambda/mail/address.ts';
import type { Role } from '../shared/api.ts';

/** The claims of a token whose signature, issuer, audience and times were verified. */
export type Claims = Readonly<Record<string, unknown>>;

/** The members of a stack's lists. Each member is an address, `@` and a domain, or `group:` and the name of a group. */
export interface Team {
  readonly readers: readonly string[];
  readonly operators: readonly string[];
}

/** The claims in which providers name groups: OpenID providers in general, Cognito, and Entra ID's app roles. */
const GROUP_CLAIMS = ['groups', 'cognito:groups', 'roles'];

/** Operators are readers, too. Nobody is a member of an empty list. */
export function rolesOf(claims: Claims, { readers, operators }: Team): ReadonlySet<Role> {
  if (isMember(claims, operators)) return new Set(['reader', 'operator']);
  return new Set(isMember(claims, readers) ? ['reader'] : []);
}

function isMember(claims: Claims, members: readonly string[]): boolean {
  const address = addressOf(claims);
  const domain = address?.slice(address.lastIndexOf('@'));
  const groups = groupsOf(claims);
  return members.some((member) => {
    if (member.startsWith('group:')) return groups.includes(member.slice('group:'.length));
    const key = mailboxKey(member);
    return key === address || (member.startsWith('@') && key === domain);
  });
}

/**
 * The address of the person who signed in, in the form in which addresses are compared. Undefined if there is none, or if
 * the provider says that it did not verify the address (`email_verified`, or `xms_edov` in Entra ID). If it says neither, the
 * address counts: with such providers, administrators assign addresses.
 */
export function addressOf(claims: Claims): string | undefined {
  const { email } = claims;
  const isRefuted = ['email_verified', 'xms_edov'].some((name) => Object.hasOwn(claims, name) && !isTrue(claims[name]));
  if (typeof email !== 'string' || isRefuted || !/^[^@\s]+@[^@\s]+$/.test(email)) return undefined;
  return mailboxKey(email);
}

const isTrue = (value: unknown) => value === true || value === 'true' || value === 1 || value === '1';

function groupsOf(claims: Claims): string[] {
  return GROUP_CLAIMS.flatMap((name) => claims[name]).filter((group) => typeof group === 'string');
}
