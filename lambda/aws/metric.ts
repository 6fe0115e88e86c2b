/** Makes a line of the log count as metrics (embedded metric format). */
import type { Provider } from '../mail/provider.ts';
import { environmentVariable } from './environment.ts';
import { METRIC_DIMENSIONS, METRIC_NAMESPACE, type MetricName } from './metric-names.ts';

/** Counts by metric. A missing or zero count makes no data point, and costs nothing. */
export type Counts = Readonly<Partial<Record<MetricName, number>>>;

/**
 * Fields from which CloudWatch reads metrics in a line of the log. They need no request, no permission and no further
 * line.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function metricFields(provider: Provider, counts: Counts): Readonly<Record<string, unknown>> {
  const counted = Object.entries(counts).filter(([, count]) => count > 0);
  if (counted.length === 0) return {};
  return {
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        {
          Namespace: METRIC_NAMESPACE,
          Dimensions: [METRIC_DIMENSIONS],
          Metrics: counted.map(([Name]) => ({ Name, Unit: 'Count' })),
        },
      ],
    },
    StackName: environmentVariable('STACK_NAME'),
    Provider: provider,
    ...Object.fromEntries(counted),
  };
}
