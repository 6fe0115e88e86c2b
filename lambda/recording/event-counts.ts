/** What the metrics say of a post. */

import type { Counts } from '../aws/metric.ts';
import type { MetricName } from '../aws/metric-names.ts';
import type { Outcome } from '../mail/classification.ts';
import type { MailEvent } from '../mail/event.ts';

const FAILURE_METRICS: Record<Outcome, MetricName> = {
  bounced: 'Bounced',
  dropped: 'Dropped',
  failed: 'Failed',
  complained: 'Complained',
};

/** What metrics say of events that were recorded. What comes twice counts twice. */
export function eventCounts(events: readonly MailEvent[], unmatched: number): Counts {
  const counts: Partial<Record<MetricName, number>> = { Received: events.length, Unmatched: unmatched };
  for (const event of events) {
    const metric = metricOf(event);
    if (metric) counts[metric] = (counts[metric] ?? 0) + 1;
  }
  return counts;
}

function metricOf(event: MailEvent): MetricName | undefined {
  if (event.kind === 'failure') return FAILURE_METRICS[event.state];
  if (event.kind === 'progress') return event.state === 'delivered' ? 'Delivered' : undefined;
  return event.kind === 'unrecognized' ? 'Unrecognized' : undefined;
}
