/**
 * Counts something in CloudWatch, by a line in the function's log (embedded metric format): no request, no permission.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function countMetric(name: string, count = 1): void {
  const line = {
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        { Namespace: 'Todoke', Dimensions: [['FunctionName']], Metrics: [{ Name: name, Unit: 'Count' }] },
      ],
    },
    FunctionName: process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'unknown',
    [name]: count,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
