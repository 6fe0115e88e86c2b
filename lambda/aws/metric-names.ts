/** The metrics that functions count in their log lines. lib/ makes the dashboard and the alarms from them. */
export const METRIC_NAMESPACE = 'Todoke';

/**
 * What each metric counts:
 *
 * - recorded events: `Received` (all), `Delivered`, the four outcomes, `Unmatched` (failures whose mail is not logged
 *   yet), `Unrecognized` (events that Todoke does not know);
 * - posts: `Refused` (answered 4xx), `Unrecorded` (failed attempts to record a post from the queue);
 * - items: `Sent`, `NotSent` (not sent, except items whose recipients are all suppressed), `UnauthorizedHandovers`
 *   (those of `NotSent` whose credentials a provider refused);
 * - recipients: `Suppressed` (left out of a mail);
 * - attempts: `Retried` (deferred, postponed or failed, and another one follows), `RetriedLate` (of items put over an
 *   hour ago);
 * - events on the event bus: `Published`.
 */
export const METRIC_NAMES = [
  'Received',
  'Delivered',
  'Bounced',
  'Dropped',
  'Failed',
  'Complained',
  'Unmatched',
  'Unrecognized',
  'Refused',
  'Unrecorded',
  'Sent',
  'NotSent',
  'UnauthorizedHandovers',
  'Suppressed',
  'Retried',
  'RetriedLate',
  'Published',
] as const;
export type MetricName = (typeof METRIC_NAMES)[number];

/** CloudWatch counts and bills each pair of values of these dimensions as one metric. */
export const METRIC_DIMENSIONS = ['StackName', 'Provider'] as const;
