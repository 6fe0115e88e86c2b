/** Says what an alarm of a template makes of metric data. */
import * as z from 'zod';
import type { ResolvedTemplate } from '../../local/stack/template.ts';
import { type MissingOperand, parseExpression, type Value } from './metric-math.ts';

const metricSchema = z.strictObject({
  Namespace: z.string(),
  MetricName: z.string(),
  Dimensions: z.array(z.strictObject({ Name: z.string(), Value: z.string() })),
});
const querySchema = z.union([
  z.strictObject({
    Id: z.string(),
    Label: z.string().optional(),
    ReturnData: z.boolean(),
    MetricStat: z.strictObject({
      Metric: metricSchema,
      Period: z.number(),
      Stat: z.enum(['Sum', 'Maximum']),
    }),
  }),
  z.strictObject({
    Id: z.string(),
    Label: z.string().optional(),
    ReturnData: z.boolean(),
    Expression: z.string(),
  }),
]);
const alarmShape = {
  AlarmDescription: z.string(),
  AlarmActions: z.array(z.string()),
  OKActions: z.array(z.string()),
  ComparisonOperator: z.literal('GreaterThanOrEqualToThreshold'),
  EvaluationPeriods: z.number(),
  DatapointsToAlarm: z.number().optional(),
  Threshold: z.number(),
  TreatMissingData: z.enum(['notBreaching', 'breaching']),
  Metrics: z.array(querySchema),
};

export type AlarmDefinition = z.infer<z.ZodObject<typeof alarmShape>>;
export type WatchedMetric = z.infer<typeof metricSchema>;

export function alarmsOf(template: ResolvedTemplate): Map<string, AlarmDefinition> {
  return template.resources('AWS::CloudWatch::Alarm', z.strictObject(alarmShape));
}

/** What was measured at a minute. */
export interface Point {
  /** In the form of `metricKey`. */
  readonly metric: string;
  readonly minute: number;
  readonly value: number;
}

/** Such as `AWS/Lambda Errors Todoke-SendMail-local`: the values of the dimensions in the order of their names. */
export function metricKey({ Namespace, MetricName, Dimensions }: WatchedMetric): string {
  const values = Dimensions.toSorted((a, b) => a.Name.localeCompare(b.Name)).map(({ Value }) => Value);
  return [Namespace, MetricName, ...values].join(' ');
}

/**
 * Whether the alarm is on in this minute. Its periods end there: CloudWatch may also align them to the clock, so ask at
 * several minutes.
 */
export function fires(alarm: AlarmDefinition, points: readonly Point[], now: number, mode: MissingOperand): boolean {
  const minutes = periodMinutes(alarm);
  let breaching = 0;
  for (let period = 0; period < alarm.EvaluationPeriods; period++) {
    const end = now - period * minutes;
    const value = valueIn(alarm, points, { begin: end - minutes, end }, mode);
    if (value === undefined ? alarm.TreatMissingData === 'breaching' : value >= alarm.Threshold) breaching++;
  }
  return breaching >= (alarm.DatapointsToAlarm ?? alarm.EvaluationPeriods);
}

/** @throws Error where its metrics have different ones */
export function periodMinutes({ Metrics }: AlarmDefinition): number {
  const periods = new Set(Metrics.flatMap((query) => ('MetricStat' in query ? [query.MetricStat.Period / 60] : [])));
  const [minutes, another] = periods;
  if (minutes === undefined || another !== undefined) throw new Error(`Cannot evaluate periods of ${[...periods]}`);
  return minutes;
}

interface Window {
  readonly begin: number;
  readonly end: number;
}

function valueIn({ Metrics }: AlarmDefinition, points: readonly Point[], window: Window, mode: MissingOperand): Value {
  const values = new Map<string, Value>();
  const waiting = [...Metrics];
  // An expression may stand before what it uses.
  while (waiting.length > 0) {
    const query = waiting.shift();
    if (!query) break;
    if ('MetricStat' in query) values.set(query.Id, statistic(query.MetricStat, points, window));
    else if (waiting.some(({ Id }) => new RegExp(`\\b${Id}\\b`).test(query.Expression))) waiting.push(query);
    else values.set(query.Id, parseExpression(query.Expression, mode)(values));
  }
  const returned = Metrics.filter(({ ReturnData }) => ReturnData);
  if (returned.length !== 1) throw new Error('Cannot evaluate an alarm that does not return one value');
  return values.get(returned[0]?.Id ?? '');
}

function statistic(
  { Metric, Stat }: { Metric: WatchedMetric; Stat: 'Sum' | 'Maximum' },
  points: readonly Point[],
  { begin, end }: Window,
): Value {
  const values = (pointsByMetric(points).get(metricKey(Metric)) ?? [])
    .filter(({ minute }) => minute >= begin && minute < end)
    .map(({ value }) => value);
  if (values.length === 0) return undefined;
  return Stat === 'Sum' ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
}

const grouped = new WeakMap<readonly Point[], Map<string, Point[]>>();

/** Grouped once per list: every alarm looks at the same points at many minutes. */
function pointsByMetric(points: readonly Point[]): Map<string, Point[]> {
  const known = grouped.get(points);
  if (known) return known;
  const byMetric = new Map<string, Point[]>();
  for (const point of points) {
    const group = byMetric.get(point.metric);
    if (group) group.push(point);
    else byMetric.set(point.metric, [point]);
  }
  grouped.set(points, byMetric);
  return byMetric;
}
