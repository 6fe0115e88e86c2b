/**
 * What SendGrid's failures mean.
 *
 * Source: SendGrid's documentation, "Event Webhook Reference", "Bounce Classifications" and "Dropped events".
 */
import {
  type BounceClass,
  bounceClassOfReply,
  type Classification,
  lookUp,
  type ReplyCodes,
  replyCodes,
} from '../../mail/classification.ts';

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
