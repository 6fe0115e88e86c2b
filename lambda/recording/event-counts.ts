/** Counts recorded events, for the log and for the metrics. */
import type { Counts } from '../aws/metric.ts';
import type { MetricName } from '../aws/metric-names.ts';
import type { MailEvent } from '../mail/event.ts';
import type { Outcome } from '../mail/verdict.ts';

const FAILURE_METRICS: Record<Outcome, MetricName> = {
  bounced: 'Bounced',
  dropped: 'Dropped',
  failed: 'Failed',
  complained: 'Complained',
};

/** Events by kind. `received` is the sum of the others. */
export function kindCounts(events: readonly MailEvent[]) {
  const count = (kind: MailEvent['kind']) => events.filter((event) => event.kind === kind).length;
  return {
    received: events.length,
    /** Failures. Each has a Bounce row. */
    recorded: count('failure'),
    /** Queued, deferred and delivered. Each is in the story of its mail. */
    progressed: count('progress'),
    /** Changes to a block list. Each has a Bounce row, and belongs to no mail. */
    blocklisted: count('blocklisted'),
    ignored: count('ignored'),
    unrecognized: count('unrecognized'),
  };
}

/** The metrics of recorded events. An event that comes twice counts twice. */
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
