/**
 * What a failure means: its outcome, the class of the bounce, and its cause. `reply.ts` says what the receiving server's
 * reply means, `classification.ts` of each provider's folder what the provider's own words mean.
 */
import { type Reply, type ReplyCodes, readReply } from './reply.ts';
import { type BounceClass, type Cause, type Outcome, UNKNOWN, type Verdict } from './verdict.ts';

/** What a failure means, and the codes that it carries. */
export interface Classification extends Verdict, ReplyCodes {
  readonly outcome: Outcome;
}

/**
 * What a reply means. The order of evidence: a reply that is temporary, a code that names the problem, the provider's own
 * word, the text, any other code.
 *
 * @param provider what the provider itself says of the same reply
 */
export function weigh({ specific, text, generic, phrase }: Reply, provider = UNKNOWN): Verdict {
  // "5.1.1 Too many messages this hour" is not about the address.
  const code = specific?.bounceClass === 'hard' && text?.bounceClass === 'soft' ? text : specific;
  const decisive = [code, provider, text, generic, phrase].find(
    (verdict) => (verdict ?? UNKNOWN).bounceClass !== 'undetermined',
  );
  const { bounceClass } = decisive ?? UNKNOWN;
  const named = specific?.bounceClass === bounceClass && specific.cause !== 'temporary' ? specific : undefined;
  return { bounceClass, cause: firstCause(bounceClass, [named, text, phrase, specific, provider, generic]) };
}

/** The first known cause. A soft cause does not explain a hard bounce. */
export function firstCause(bounceClass: BounceClass, evidence: readonly (Verdict | undefined)[]): Cause {
  const explains = (verdict: Verdict | undefined) =>
    verdict !== undefined && verdict.cause !== 'unknown' && !(bounceClass === 'hard' && verdict.bounceClass === 'soft');
  return evidence.find(explains)?.cause ?? 'unknown';
}

/** A recipient that a provider refused when a mail was handed over to it. */
export function classifyRefusal(text: string): Classification {
  const reply = readReply(text);
  return { outcome: 'failed', ...weigh(reply), ...reply.codes };
}
