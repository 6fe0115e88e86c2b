/**
 * Classifies SendGrid's failures.
 *
 * Source: SendGrid's documentation, "Event Webhook Reference", "Bounce and Block Classifications" and "Dropped events".
 */
import { type Classification, firstCause, weigh } from '../../mail/classification.ts';
import { type Reply, readReply } from '../../mail/reply.ts';
import { hard, lookUp, soft, UNKNOWN, undetermined, type Verdict } from '../../mail/verdict.ts';

/** SendGrid's soft types of a `bounce`. SendGrid itself suppresses an address only after the type `bounce`. */
export const SENDGRID_BOUNCE_TYPES: Readonly<Record<string, Verdict>> = {
  blocked: soft('unknown'),
  expired: soft('temporary'),
};

/** The values of SendGrid's `bounce_classification` that decide, in lower case. */
export const SENDGRID_BOUNCE_CLASSIFICATIONS: Readonly<Record<string, Verdict>> = {
  'invalid address': hard('address-unknown'),
  technical: soft('temporary'),
  'technical failure': soft('temporary'),
  content: soft('spam'),
  reputation: soft('blocklisted'),
  'frequency or volume too high': soft('rate-limited'),
  'frequency/volume too high': soft('rate-limited'),
  'mailbox unavailable': soft('mailbox-disabled'),
};

/** SendGrid's reasons for a `dropped`, in lower case. It is hard if the address itself is the reason. */
export const SENDGRID_DROP_REASONS: Readonly<Record<string, Verdict>> = {
  'bounced address': hard('suppressed'),
  invalid: hard('address-unknown'),
  'invalid address': hard('address-unknown'),
  'unsubscribed address': undetermined('unsubscribed'),
  'spam reporting address': undetermined('complaint'),
  'spam content': undetermined('spam'),
  'invalid smtpapi header': undetermined('invalid-mail'),
  'recipient list over package quota': undetermined('rate-limited'),
};

/** The fields of a SendGrid event that decide. A missing field is empty. */
export interface SendGridFailure {
  readonly event: 'bounce' | 'dropped' | 'spamreport';
  readonly type: string;
  readonly status: string;
  readonly bounceClassification: string;
  readonly reason: string;
}

/**
 * Classifies SendGrid's `bounce`, `dropped` and `spamreport`.
 *
 * A `bounce` of type `blocked` or `expired` is soft. For the other types the reply and SendGrid's classification
 * decide. If these say nothing, the type `bounce` is hard, because SendGrid itself will not try that address again.
 */
export function classifySendGrid(failure: SendGridFailure): Classification {
  const reply = readReply(failure.reason, failure.status);
  switch (failure.event) {
    case 'bounce':
      return { outcome: 'bounced', ...sendGridBounce(failure, reply), ...reply.codes };
    case 'dropped': {
      const verdict = lookUp(SENDGRID_DROP_REASONS, failure.reason.trim().toLowerCase()) ?? UNKNOWN;
      return { outcome: 'dropped', ...verdict, ...reply.codes };
    }
    case 'spamreport':
      return { outcome: 'complained', ...undetermined('complaint'), ...reply.codes };
  }
}

function sendGridBounce(failure: SendGridFailure, reply: Reply): Verdict {
  const type = failure.type.toLowerCase();
  const classification = lookUp(SENDGRID_BOUNCE_CLASSIFICATIONS, failure.bounceClassification.toLowerCase());
  const verdict = weigh(reply, classification);
  const byType = lookUp(SENDGRID_BOUNCE_TYPES, type);
  if (byType !== undefined) return { bounceClass: byType.bounceClass, cause: firstCause('soft', [verdict, byType]) };
  const saysNothing = failure.reason.trim() === '' && (reply.codes.enhancedStatusCode ?? '5.0.0') === '5.0.0';
  return type === 'bounce' && saysNothing && verdict.bounceClass === 'undetermined' ? hard('unknown') : verdict;
}
