/** The metrics that functions count in their log lines, and that lib/ draws and watches. */
export const METRIC_NAMESPACE = 'Todoke';

/**
 * Of events, when they are recorded: `Received` is all of them, and of these `Delivered`, the four outcomes, failures whose
 * mail is not logged yet (`Unmatched`) and what is not understood (`Unrecognized`). Of posts: `Refused` (answered 4xx), and
 * `Unrecorded` (an attempt to record one from the queue failed). Of mails: `Sent`, `NotSent` (the item is `failed`; without items
 * whose recipients are all suppressed), of these `UnauthorizedHandovers`. Of recipients: `Suppressed` (left out of a mail).
 * Of attempts to send: `Retried` (it was put off, and another one follows), of these `RetriedLate` (the item was put more
 * than an hour ago). `Published`: events on the event bus.
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

/** What tells a metric from another of its name: each pair of these is one metric, and is paid for as one. */
export const METRIC_DIMENSIONS = ['StackName', 'Provider'] as const;
