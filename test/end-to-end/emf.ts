/**
 * Checks log lines in the embedded metric format against the specification.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import * as z from 'zod';

const UNITS = ['Seconds', 'Microseconds', 'Milliseconds', 'Bytes', 'Percent', 'Count', 'None'];
const name = z.string().min(1).max(1024);
const MAX_LINE_BYTES = 256 * 1024;

const directiveSchema = z.strictObject({
  Namespace: name,
  Dimensions: z.array(z.array(z.string().min(1).max(250)).max(30)).min(1),
  Metrics: z
    .array(
      z.strictObject({
        Name: name,
        Unit: z.enum(UNITS).optional(),
        StorageResolution: z.union([z.literal(1), z.literal(60)]).optional(),
      }),
    )
    .min(1)
    .max(100),
});
const documentSchema = z.looseObject({
  _aws: z.strictObject({
    Timestamp: z.int().positive(),
    CloudWatchMetrics: z.array(directiveSchema).min(1),
  }),
});
const dimensionValue = z.string().min(1).max(1024);
const metricValue = z.union([z.number(), z.array(z.number()).max(100)]);

export interface EmittedMetric {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
}

/**
 * The metrics that CloudWatch extracts from a log line; none if the line is not in the format.
 *
 * @throws ZodError if the line is in the format but breaks a rule: CloudWatch would silently ignore it
 */
export function emittedMetrics(line: string): EmittedMetric[] {
  if (!line.includes('"_aws"')) return [];
  z.number().max(MAX_LINE_BYTES).parse(Buffer.byteLength(line));
  const document = documentSchema.parse(JSON.parse(line));
  return document._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
    Dimensions.flatMap((set) =>
      Metrics.map(({ Name }) => {
        metricValue.parse(document[Name]);
        return {
          Namespace,
          MetricName: Name,
          Dimensions: set.map((dimension) => ({ Name: dimension, Value: dimensionValue.parse(document[dimension]) })),
        };
      }),
    ),
  );
}
