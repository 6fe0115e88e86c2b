/** Evaluates the alarms of a template with metric data. */
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

/** A value that was measured in a minute. */
export interface Point {
  /** In the form of `metricKey`. */
  readonly metric: string;
  readonly minute: number;
  readonly value: number;
}

/** For example, `AWS/Lambda Errors Todoke-SendMail-local`. The values of the dimensions are sorted by their names. */
export function metricKey({ Namespace, MetricName, Dimensions }: WatchedMetric): string {
  const values = Dimensions.toSorted((a, b) => a.Name.localeCompare(b.Name)).map(({ Value }) => Value);
  return [Namespace, MetricName, ...values].join(' ');
}

/**
 * AWS does not document the result of an operator if an operand has no data, so the alarms must work in both cases.
 * Functions of lists ignore metrics without data.
 */
export const MISSING = { 'makes the result missing': Number.NaN, 'is 0': 0 } as const;
export type MissingOperand = keyof typeof MISSING;

/**
 * Whether the alarm fires in this minute, with periods that end now. CloudWatch may also align the periods to the clock,
 * so call this for several minutes.
 */
export function fires(alarm: AlarmDefinition, points: readonly Point[], now: number, missing: MissingOperand): boolean {
  const minutes = periodMinutes(alarm);
  return Array.from({ length: alarm.EvaluationPeriods }, (_, period) => now - period * minutes).every(
    (end) => valueIn(alarm, points, [end - minutes, end], MISSING[missing]) >= alarm.Threshold,
  );
}

/** @throws Error if its metrics have different periods */
export function periodMinutes({ Metrics }: AlarmDefinition): number {
  const periods = new Set(Metrics.flatMap((query) => ('MetricStat' in query ? [query.MetricStat.Period / 60] : [])));
  const [minutes, another] = periods;
  if (minutes === undefined || another !== undefined) throw new Error(`Cannot evaluate periods of ${[...periods]}`);
  return minutes;
}

type Window = readonly [begin: number, end: number];

/** @param missing the value of a metric without data */
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

/** The part of CloudWatch's metric math that the stack's alarms use. */
const FUNCTIONS = {
  SUM: (values: number[]) => ofPresent(values, (present) => present.reduce((sum, value) => sum + value, 0)),
  MAX: (values: number[]) => ofPresent(values, (present) => Math.max(...present)),
  // NaN compares as false, and `otherwise` is 0 in every alarm. So an alarm without a value does not fire.
  IF: (condition: boolean, then: number, otherwise: number) => (condition ? then : otherwise),
};

const ofPresent = (values: readonly number[], of: (present: readonly number[]) => number) => {
  const present = values.filter((value) => !Number.isNaN(value));
  return present.length === 0 ? Number.NaN : of(present);
};

/** Except for `AND`, the expressions are valid JavaScript. @throws Error if one uses something unknown */
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

/** Grouped once per list, because every alarm uses the same points at many minutes. */
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
