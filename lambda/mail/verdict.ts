/** The words for what a failure means. */

/** Who failed a mail: the receiving side, the provider before it tried, one or the other at first notice, the recipient. */
export const OUTCOMES = ['bounced', 'dropped', 'failed', 'complained'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** hard: the address will not work later either. soft: it may. undetermined: no evidence. */
export const BOUNCE_CLASSES = ['hard', 'soft', 'undetermined'] as const;
export type BounceClass = (typeof BOUNCE_CLASSES)[number];

/** Why a mail failed. Finer than the class, but it does not imply one: a full mailbox may be reported as hard. */
export const CAUSES = [
  'address-unknown',
  'domain-unknown',
  'mailbox-full',
  'mailbox-disabled',
  'too-large',
  'rate-limited',
  'spam',
  'policy',
  'authentication',
  'blocklisted',
  'temporary',
  'suppressed',
  'unsubscribed',
  'invalid-mail',
  'complaint',
  'unknown',
] as const;
export type Cause = (typeof CAUSES)[number];

/** What one piece of evidence says: a code, a text, or a provider's own word. */
export interface Verdict {
  readonly bounceClass: BounceClass;
  readonly cause: Cause;
}

export const hard = (cause: Cause): Verdict => ({ bounceClass: 'hard', cause });
export const soft = (cause: Cause): Verdict => ({ bounceClass: 'soft', cause });
export const undetermined = (cause: Cause): Verdict => ({ bounceClass: 'undetermined', cause });

/** No evidence. */
export const UNKNOWN = undetermined('unknown');

/** The table's value for a word from outside. Reads own properties only, so that `constructor` finds nothing. */
export function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
