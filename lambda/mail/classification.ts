/**
 * Decides the class and the cause of a failure from the evidence. `reply.ts` reads the evidence in a server's reply.
 * The `classification.ts` in each provider's folder adds the provider's own words.
 */
import { type Reply, type ReplyCodes, readReply } from './reply.ts';
import { type BounceClass, type Cause, type Outcome, UNKNOWN, type Verdict } from './verdict.ts';

/** What a failure means, and the codes that it carries. */
export interface Classification extends Verdict, ReplyCodes {
  readonly outcome: Outcome;
}

/**
 * Weighs the evidence. The first of these that says hard or soft decides the class: a code that is temporary or names
 * the problem, the provider's own word, the text of a well-known receiver, a generic code, a common phrase.
 *
 * @param provider the provider's own classification of the same reply
 */
export function weigh({ specific, text, generic, phrase }: Reply, provider = UNKNOWN): Verdict {
  // A soft text overrules a hard code: "5.1.1 Too many messages this hour" is not about the address.
  const code = specific?.bounceClass === 'hard' && text?.bounceClass === 'soft' ? text : specific;
  const decisive = [code, provider, text, generic, phrase].find(
    (verdict) => (verdict ?? UNKNOWN).bounceClass !== 'undetermined',
  );
  const { bounceClass } = decisive ?? UNKNOWN;
  const named = specific?.bounceClass === bounceClass && specific.cause !== 'temporary' ? specific : undefined;
  return { bounceClass, cause: firstCause(bounceClass, [named, text, phrase, specific, provider, generic]) };
}

/** The first known cause. The cause of a soft verdict does not explain a hard bounce. */
export function firstCause(bounceClass: BounceClass, evidence: readonly (Verdict | undefined)[]): Cause {
  const explains = (verdict: Verdict | undefined) =>
    verdict !== undefined && verdict.cause !== 'unknown' && !(bounceClass === 'hard' && verdict.bounceClass === 'soft');
  return evidence.find(explains)?.cause ?? 'unknown';
}

/** Classifies the reply with which a provider refused a recipient at the handover. */
export function classifyRefusal(text: string): Classification {
  const reply = readReply(text);
  return { outcome: 'failed', ...weigh(reply), ...reply.codes };
}
