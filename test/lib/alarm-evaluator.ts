/** Says what an alarm of a template makes of metric data. */
import * as z from 'zod';
import type { ResolvedTemplate } from '../../local/stack/template.ts';

const metricSchema = z.strictObject({
  Namespace: z.string(),
  MetricName: z.string(),
  Dimensions: z.array(z.strictObject({ Name: z.string(), Value: z.string() })),
});
const statSchema = z.strictObject({ Metric: metricSchema, Period: z.number(), Stat: z.enum(['Sum', 'Maximum']) });
const queryShape = { Id: z.string(), Label: z.string().optional(), ReturnData: z.boolean() };
const querySchema = z.union([
  z.strictObject({ ...queryShape, MetricStat: statSchema }),
  z.strictObject({ ...queryShape, Expression: z.string() }),
]);
const alarmShape = {
  AlarmDescription: z.string(),
  AlarmActions: z.array(z.string()),
  OKActions: z.array(z.string()),
  ComparisonOperator: z.literal('GreaterThanOrEqualToThreshold'),
  EvaluationPeriods: z.number(),
  Threshold: z.number(),
  TreatMissingData: z.literal('notBreaching'),
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
 * What an operator makes of an operand without data is not documented: the alarms must do with either. Lists are passed to
 * functions without what has no data.
 */
export const MISSING = { 'makes the result missing': Number.NaN, 'is 0': 0 } as const;
export type MissingOperand = keyof typeof MISSING;

/**
 * Whether the alarm is on in this minute. Its periods end there: CloudWatch may also align them to the clock, so ask at
 * several minutes.
 */
export function fires(alarm: AlarmDefinition, points: readonly Point[], now: number, missing: MissingOperand): boolean {
  const minutes = periodMinutes(alarm);
  return Array.from({ length: alarm.EvaluationPeriods }, (_, period) => now - period * minutes).every(
    (end) => valueIn(alarm, points, [end - minutes, end], MISSING[missing]) >= alarm.Threshold,
  );
}

/** @throws Error where its metrics have different ones */
export function periodMinutes({ Metrics }: AlarmDefinition): number {
  const periods = new Set(Metrics.flatMap((query) => ('MetricStat' in query ? [query.MetricStat.Period / 60] : [])));
  const [minutes, another] = periods;
  if (minutes === undefined || another !== undefined) throw new Error(`Cannot evaluate periods of ${[...periods]}`);
  return minutes;
}

type Window = readonly [begin: number, end: number];

/** @param missing stands for a metric without data */
function valueIn({ Metrics }: AlarmDefinition, points: readonly Point[], window: Window, missing: number): number {
  const [returned, another] = Metrics.filter(({ ReturnData }) => ReturnData);
  if (!returned || another) throw new Error('Cannot evaluate an alarm that does not return one value');
  return valueOfQuery(returned);

  function valueOfQuery(query: z.infer<typeof querySchema>): number {
    if ('MetricStat' in query) return statistic(query.MetricStat, points, window) ?? missing;
    const used = Metrics.filter(({ Id }) => new RegExp(`\\b${Id}\\b`).test(query.Expression));
    return evaluate(query.Expression, Object.fromEntries(used.map((it) => [it.Id, valueOfQuery(it)])));
  }
}

/** As much of CloudWatch's metric math as the stack's alarms use. */
const FUNCTIONS = {
  SUM: (values: number[]) => ofPresent(values, (present) => present.reduce((sum, value) => sum + value, 0)),
  MAX: (values: number[]) => ofPresent(values, (present) => Math.max(...present)),
  // What is not a number compares as false, and `otherwise` is 0 in every alarm: it does not fire, as without a value.
  IF: (condition: boolean, then: number, otherwise: number) => (condition ? then : otherwise),
};

const ofPresent = (values: readonly number[], of: (present: readonly number[]) => number) => {
  const present = values.filter((value) => !Number.isNaN(value));
  return present.length === 0 ? Number.NaN : of(present);
};

/** Except for `AND`, the expressions read as JavaScript. @throws Error where one uses something that is not known */
function evaluate(expression: string, values: Readonly<Record<string, number>>): number {
  const known = { ...FUNCTIONS, ...values };
  const body = `return ${expression.replaceAll(' AND ', ' && ')};`;
  return new Function(...Object.keys(known), body)(...Object.values(known));
}

function statistic(
  { Metric, Stat }: z.infer<typeof statSchema>,
  points: readonly Point[],
  [begin, end]: Window,
): number | undefined {
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
