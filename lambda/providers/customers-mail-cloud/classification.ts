/**
 * What Customers Mail Cloud's failures mean.
 *
 * Source: Customers Mail Cloud's documentation (smtps.jp), "Webhook" and "Bounce status".
 */
import {
  type BounceClass,
  bounceClassOfReply,
  type Classification,
  lookUp,
  type Outcome,
  replyCodes,
} from '../../mail/classification.ts';

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

/**
 * The reply to a mail whose recipient is on Customers Mail Cloud's block list, in `deliveries` of status `failed`: nobody
 * tried to deliver it (blog.smtps.jp).
 */
const SUPPRESSED = /\bRecipient address .{1,400}? is suppressed to send mail\b/i;

/** Customers Mail Cloud's `bounces`, and `deliveries` of status `failed`. */
export function classifyCustomersMailCloud(
  eventType: 'bounces' | 'deliveries',
  status: string,
  reason: string,
): Classification {
  const codes = replyCodes(reason);
  const byReply = bounceClassOfReply(codes);
  if (eventType === 'deliveries' && SUPPRESSED.test(reason))
    return { outcome: 'dropped', bounceClass: 'hard', ...codes };
  if (eventType === 'deliveries') return { outcome: 'failed', bounceClass: byReply, ...codes };
  const known = lookUp(CUSTOMERS_MAIL_CLOUD_STATUSES, status);
  const bounceClass = known === undefined || known.bounceClass === 'byReply' ? byReply : known.bounceClass;
  return { outcome: known?.outcome ?? 'bounced', bounceClass, ...codes };
}
