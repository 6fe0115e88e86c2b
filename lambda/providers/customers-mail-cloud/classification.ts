/**
 * Classifies Customers Mail Cloud's failures.
 *
 * Source: Customers Mail Cloud's documentation (smtps.jp), "Webhook" and "Bounce status".
 */
import { type Classification, firstCause, weigh } from '../../mail/classification.ts';
import { type Reply, readReply } from '../../mail/reply.ts';
import { hard, lookUp, type Outcome, soft, UNKNOWN, undetermined, type Verdict } from '../../mail/verdict.ts';

/** Customers Mail Cloud's bounce statuses. If a status has no verdict, the receiving server's reply decides. */
export const CUSTOMERS_MAIL_CLOUD_STATUSES: Readonly<
  Record<string, { readonly meaning: string; readonly outcome: Outcome; readonly verdict?: Verdict }>
> = {
  '1': { meaning: 'unknown host', outcome: 'bounced', verdict: hard('domain-unknown') },
  '2': { meaning: 'unknown user', outcome: 'bounced', verdict: hard('address-unknown') },
  '3': { meaning: 'retransmission timeout', outcome: 'bounced', verdict: soft('temporary') },
  '4': { meaning: 'rejected', outcome: 'bounced' },
  '5': { meaning: 'mailbox full', outcome: 'bounced', verdict: soft('mailbox-full') },
  '6': { meaning: 'failure at a forwarded address', outcome: 'bounced' },
  '7': { meaning: 'receiving server error', outcome: 'bounced', verdict: soft('temporary') },
  '8': { meaning: 'message too large', outcome: 'bounced', verdict: soft('too-large') },
  '9': { meaning: 'address format', outcome: 'bounced', verdict: hard('address-unknown') },
  '10': { meaning: 'blocked for an earlier error', outcome: 'dropped', verdict: hard('suppressed') },
  '11': { meaning: 'unsubscribed', outcome: 'dropped', verdict: undetermined('unsubscribed') },
  '99': { meaning: 'other permanent error', outcome: 'bounced' },
};

/**
 * The reply in `deliveries` of status `failed` if the recipient is on Customers Mail Cloud's block list. Nobody tried
 * to deliver such a mail (blog.smtps.jp).
 */
const SUPPRESSED = /\bRecipient address .{1,400}? is suppressed to send mail\b/i;

/** Classifies Customers Mail Cloud's `bounces`, and `deliveries` of status `failed`. */
export function classifyCustomersMailCloud(
  eventType: 'bounces' | 'deliveries',
  status: string,
  reason: string,
): Classification {
  const reply = readReply(reason);
  if (eventType === 'deliveries') {
    return SUPPRESSED.test(reason)
      ? { outcome: 'dropped', ...hard('suppressed'), ...reply.codes }
      : { outcome: 'failed', ...weigh(reply), ...reply.codes };
  }
  const known = lookUp(CUSTOMERS_MAIL_CLOUD_STATUSES, status);
  const verdict = known?.outcome === 'dropped' ? known.verdict : customersMailCloudBounce(reply, known?.verdict);
  return { outcome: known?.outcome ?? 'bounced', ...(verdict ?? UNKNOWN), ...reply.codes };
}

/** The status decides, unless it is hard and the reply is soft (by a code or a known text). Then the reply decides. */
function customersMailCloudBounce(reply: Reply, byStatus: Verdict | undefined): Verdict {
  const { specific, text, generic, phrase } = reply;
  const saysSoft = [specific, text].some((verdict) => verdict?.bounceClass === 'soft');
  if (byStatus === undefined || (byStatus.bounceClass === 'hard' && saysSoft)) return weigh(reply);
  return { ...byStatus, cause: firstCause(byStatus.bounceClass, [byStatus, text, phrase, specific, generic]) };
}
