/**
 * What a failure means: outcome, class of bounce, and what the codes of a reply say. What a provider's own words say is
 * in `classification.ts` of its folder.
 *
 * Sources: RFC 5321 (reply codes), RFC 3463 and its IANA registry (enhanced status codes).
 */

/** Who failed a mail: the receiving side, the provider before it tried, one or the other at first notice, the recipient. */
export const OUTCOMES = ['bounced', 'dropped', 'failed', 'complained'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** hard: this address will not work later either. soft: it may. undetermined: nothing tells. */
export const BOUNCE_CLASSES = ['hard', 'soft', 'undetermined'] as const;
export type BounceClass = (typeof BOUNCE_CLASSES)[number];

/** Codes that a reply text carries, such as `550 5.1.1 User unknown`. */
export interface ReplyCodes {
  /** RFC 5321, 4.2: three digits. */
  readonly smtpCode: string | undefined;
  /** RFC 3463: class.subject.detail. */
  readonly enhancedStatusCode: string | undefined;
}

/** What a failure means, and the codes that it carries. */
export interface Classification extends ReplyCodes {
  readonly outcome: Outcome;
  readonly bounceClass: BounceClass;
}

/** Where a reply begins, or before an enhanced status code: elsewhere three digits may count anything. */
const SMTP_CODE = /(?:^|[:;(])\s*([245][0-5]\d)(?=[ :-]|$)|[^\d.]([245][0-5]\d)[ -](?=[245]\.\d)/;
const ENHANCED_STATUS_CODE = /(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/;
/** Replies may be long; their codes stand at the front. */
const REPLY_HEAD_LENGTH = 512;

/** The codes in a reply text, and in a status field of its own where the provider has one (`5.1.1`, sometimes `550`). */
export function replyCodes(reply: string, status = ''): ReplyCodes {
  const head = reply.slice(0, REPLY_HEAD_LENGTH);
  const [, atStart, beforeEnhanced] = SMTP_CODE.exec(head) ?? [];
  const inStatus = /^[245]\.\d{1,3}\.\d{1,3}$/.test(status) ? status : undefined;
  return {
    smtpCode: atStart ?? beforeEnhanced ?? /^[245]\d\d$/.exec(status)?.[0],
    // `5.0.0` says no more than that it failed.
    enhancedStatusCode:
      inStatus === undefined || inStatus.endsWith('.0.0')
        ? (ENHANCED_STATUS_CODE.exec(head)?.[1] ?? inStatus)
        : inStatus,
  };
}

/**
 * Enhanced status codes of class 5 whose class of bounce is known (RFC 3463, 3.2 to 3.8; RFC 7505 for 5.1.10).
 * Of the rest, subjects 3, 4, 6 and 7 blame a system, the network, the content or a policy: the address may be good.
 */
export const ENHANCED_STATUS_CLASSES: Readonly<Record<string, BounceClass>> = {
  '5.1.0': 'hard', // other address status
  '5.1.1': 'hard', // bad destination mailbox address
  '5.1.2': 'hard', // bad destination system address
  '5.1.3': 'hard', // bad destination mailbox address syntax
  '5.1.4': 'undetermined', // destination mailbox address ambiguous
  '5.1.6': 'hard', // destination mailbox has moved
  '5.1.7': 'soft', // bad sender's mailbox address syntax
  '5.1.8': 'soft', // bad sender's system address
  '5.1.10': 'hard', // recipient address has null MX
  '5.2.0': 'undetermined', // other mailbox status
  '5.2.1': 'hard', // mailbox disabled
  '5.2.2': 'soft', // mailbox full
  '5.2.3': 'soft', // message length exceeds limit
  '5.2.4': 'undetermined', // mailing list expansion problem
  '5.4.4': 'hard', // unable to route
  '5.5.0': 'undetermined', // other protocol status
};
const SOFT_SUBJECT = /\.[3467]\./;

/** What the codes of a reply alone say. */
export function bounceClassOfReply({ smtpCode, enhancedStatusCode }: ReplyCodes): BounceClass {
  if (enhancedStatusCode !== undefined) {
    if (enhancedStatusCode.startsWith('4')) return 'soft';
    const known = lookUp(ENHANCED_STATUS_CLASSES, enhancedStatusCode);
    if (known !== undefined) return known;
    if (SOFT_SUBJECT.test(enhancedStatusCode)) return 'soft';
  }
  if (smtpCode?.startsWith('4')) return 'soft';
  return 'undetermined';
}

/** A recipient that a provider refused when a mail was handed over to it. */
export function classifyRefusal(reply: string): Classification {
  const codes = replyCodes(reply);
  return { outcome: 'failed', bounceClass: bounceClassOfReply(codes), ...codes };
}

/** The table's value for a word that came from outside. Own properties only: `constructor` is in no table. */
export function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
