/** Every metric that a template's alarms and dashboards use. */
import * as z from 'zod';
import type { ResolvedTemplate } from '../../local/stack/template.ts';
import { alarmsOf, type WatchedMetric } from './alarm-evaluator.ts';

const bodySchema = z.object({
  widgets: z.array(z.object({ properties: z.object({ metrics: z.array(z.array(z.unknown())).default([]) }) })),
});

export function alarmMetrics(template: ResolvedTemplate): WatchedMetric[] {
  return [...alarmsOf(template).values()].flatMap(({ Metrics }) =>
    Metrics.flatMap((query) => ('MetricStat' in query ? [query.MetricStat.Metric] : [])),
  );
}

export function dashboardMetrics(template: ResolvedTemplate): WatchedMetric[] {
  const dashboards = template.resources('AWS::CloudWatch::Dashboard', z.object({ DashboardBody: z.string() }));
  return [...dashboards.values()].flatMap(({ DashboardBody }) =>
    bodySchema
      .parse(JSON.parse(DashboardBody))
      .widgets.flatMap(({ properties }) => properties.metrics)
      .flatMap((line) => metricOfLine(line)),
  );
}

/** A dashboard line is `[namespace, name, dimension, value, …, options]`. An expression has options only. */
function metricOfLine(line: readonly unknown[]): WatchedMetric[] {
  const [Namespace, MetricName, ...rest] = line.filter((item) => typeof item === 'string');
  if (Namespace === undefined || MetricName === undefined) return [];
  const Dimensions = rest.flatMap((Name, index) =>
    index % 2 === 0 ? [{ Name, Value: rest[index + 1] ?? 'no value' }] : [],
  );
  return [{ Namespace, MetricName, Dimensions }];
}
