/**
 * What a failure means, whichever provider reports it. This file is the only place that knows.
 *
 * Sources: RFC 5321 (reply codes), RFC 3463 and its IANA registry (enhanced status codes), SendGrid's documentation
 * ("Event Webhook Reference", "Bounce Classifications", "Dropped events"), Customers Mail Cloud's ("Webhook", "Bounce status").
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

/** SendGrid's types of a `bounce` that are soft. Only its type `bounce`, which is not here, suppresses the address. */
export const SENDGRID_BOUNCE_TYPES: Readonly<Record<string, BounceClass>> = {
  blocked: 'soft',
  expired: 'soft',
};

/** SendGrid's `bounce_classification`, in lower case. What is not here decides nothing. */
export const SENDGRID_BOUNCE_CLASSIFICATIONS: Readonly<Record<string, BounceClass>> = {
  'invalid address': 'hard',
  technical: 'soft',
  'technical failure': 'soft',
  content: 'soft',
  reputation: 'soft',
  'frequency or volume too high': 'soft',
  'mailbox unavailable': 'soft',
};

/** SendGrid's reasons for a `dropped`, in lower case: hard where the address itself is the reason. */
export const SENDGRID_DROP_REASONS: Readonly<Record<string, BounceClass>> = {
  'bounced address': 'hard',
  invalid: 'hard',
  'invalid address': 'hard',
  'unsubscribed address': 'undetermined',
  'spam reporting address': 'undetermined',
  'spam content': 'undetermined',
  'invalid smtpapi header': 'undetermined',
  'recipient list over package quota': 'undetermined',
};

/** What of a SendGrid event decides. Empty where it says nothing. */
export interface SendGridFailure {
  readonly event: 'bounce' | 'dropped' | 'spamreport';
  readonly type: string;
  readonly status: string;
  readonly bounceClassification: string;
  readonly reason: string;
}

/**
 * SendGrid's `bounce` of either type, `dropped` and `spamreport`.
 *
 * A bounce is soft by its type (`blocked`, `expired`); else its codes decide, then its classification; a `bounce` of
 * type `bounce` about which neither says anything is hard, because SendGrid itself will not try that address again.
 */
export function classifySendGrid(failure: SendGridFailure): Classification {
  const codes = replyCodes(failure.reason, failure.status);
  switch (failure.event) {
    case 'bounce':
      return { outcome: 'bounced', bounceClass: sendGridBounceClass(failure, codes), ...codes };
    case 'dropped': {
      const bounceClass = lookUp(SENDGRID_DROP_REASONS, failure.reason.trim().toLowerCase()) ?? 'undetermined';
      return { outcome: 'dropped', bounceClass, ...codes };
    }
    case 'spamreport':
      return { outcome: 'complained', bounceClass: 'undetermined', ...codes };
  }
}

function sendGridBounceClass(failure: SendGridFailure, codes: ReplyCodes): BounceClass {
  const type = failure.type.toLowerCase();
  const byType = lookUp(SENDGRID_BOUNCE_TYPES, type);
  if (byType !== undefined) return byType;
  const byReply = bounceClassOfReply(codes);
  if (byReply !== 'undetermined') return byReply;
  const byClassification = lookUp(SENDGRID_BOUNCE_CLASSIFICATIONS, failure.bounceClassification.toLowerCase());
  if (byClassification !== undefined) return byClassification;
  return type === 'bounce' ? 'hard' : 'undetermined';
}

/** Customers Mail Cloud's bounce statuses. `byReply`: the receiving server's reply decides. */
export const CUSTOMERS_MAIL_CLOUD_STATUSES: Readonly<
  Record<string, { readonly meaning: string; readonly outcome: Outcome; readonly bounceClass: BounceClass | 'byReply' }>
> = {
  '1': { meaning: 'unknown host', outcome: 'bounced', bounceClass: 'hard' },
  '2': { meaning: 'unknown user', outcome: 'bounced', bounceClass: 'hard' },
  '3': { meaning: 'retransmission timeout', outcome: 'bounced', bounceClass: 'soft' },
  '4': { meaning: 'rejected', outcome: 'bounced', bounceClass: 'byReply' },
  '5': { meaning: 'mailbox full', outcome: 'bounced', bounceClass: 'soft' },
  '6': { meaning: 'failure at a forwarded address', outcome: 'bounced', bounceClass: 'byReply' },
  '7': { meaning: 'receiving server error', outcome: 'bounced', bounceClass: 'soft' },
  '8': { meaning: 'message too large', outcome: 'bounced', bounceClass: 'soft' },
  '9': { meaning: 'address format', outcome: 'bounced', bounceClass: 'hard' },
  '10': { meaning: 'blocked for an earlier error', outcome: 'dropped', bounceClass: 'hard' },
  '11': { meaning: 'unsubscribed', outcome: 'dropped', bounceClass: 'undetermined' },
  '99': { meaning: 'other permanent error', outcome: 'bounced', bounceClass: 'byReply' },
};

/** Customers Mail Cloud's `bounces`, `blocks`, and `deliveries` of status `failed`. */
export function classifyCustomersMailCloud(
  eventType: 'bounces' | 'blocks' | 'deliveries',
  status: string,
  reason: string,
): Classification {
  const codes = replyCodes(reason);
  const byReply = bounceClassOfReply(codes);
  if (eventType === 'deliveries') return { outcome: 'failed', bounceClass: byReply, ...codes };
  const known = lookUp(CUSTOMERS_MAIL_CLOUD_STATUSES, status);
  const bounceClass = known === undefined || known.bounceClass === 'byReply' ? byReply : known.bounceClass;
  const outcome = eventType === 'blocks' ? 'dropped' : (known?.outcome ?? 'bounced');
  return { outcome, bounceClass, ...codes };
}

/** A recipient that a provider refused when a mail was handed over to it. */
export function classifyRefusal(reply: string): Classification {
  const codes = replyCodes(reply);
  return { outcome: 'failed', bounceClass: bounceClassOfReply(codes), ...codes };
}

/** What a table says of a word that came from outside: `constructor` and its like are in no table. */
function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
