/** The values that say what a failure means: outcome, bounce class and cause. */

/**
 * bounced: the receiving server refused the mail. dropped: nobody tried to deliver it. failed: a first notice of
 * Customers Mail Cloud, or a refusal at the handover. complained: the recipient reported it as spam.
 */
export const OUTCOMES = ['bounced', 'dropped', 'failed', 'complained'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** hard: later mail to the address will fail, too. soft: it may arrive. undetermined: not enough evidence. */
export const BOUNCE_CLASSES = ['hard', 'soft', 'undetermined'] as const;
export type BounceClass = (typeof BOUNCE_CLASSES)[number];

/** Why a mail failed. A cause does not imply a class: an unknown address that a server reports as temporary is soft. */
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

/** What one piece of evidence says. Evidence is a code, a text, or a provider's own word. */
export interface Verdict {
  readonly bounceClass: BounceClass;
  readonly cause: Cause;
}

export const hard = (cause: Cause): Verdict => ({ bounceClass: 'hard', cause });
export const soft = (cause: Cause): Verdict => ({ bounceClass: 'soft', cause });
export const undetermined = (cause: Cause): Verdict => ({ bounceClass: 'undetermined', cause });

/** No evidence. */
export const UNKNOWN = undetermined('unknown');

/** The table's value for a key from outside. Reads own properties only, so that `constructor` finds nothing. */
export function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
