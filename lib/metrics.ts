/** The metrics of a stack: those that its functions count, and those that AWS measures. */
import { type Duration, Stack } from 'aws-cdk-lib';
import { type IMetric, MathExpression, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { METRIC_DIMENSIONS, METRIC_NAMESPACE, type MetricName } from '../lambda/aws/metric-names.ts';
import { PROVIDERS, type Provider } from '../lambda/mail/provider.ts';
import type { CustomersMailCloudReceiver } from './customers-mail-cloud-receiver.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { FailurePublisher } from './failure-publisher.ts';
import type { LateJoin } from './late-join.ts';
import type { MailSender } from './mail-sender.ts';
import type { Queues } from './queues.ts';
import type { SendGridReceiver } from './sendgrid-receiver.ts';
import type { Storage } from './storage.ts';

/** The constructs that have metrics. */
export interface Parts {
  /** A receiver is undefined if the setting `providers` leaves its provider out. */
  readonly sendGrid: SendGridReceiver | undefined;
  readonly customersMailCloud: CustomersMailCloudReceiver | undefined;
  readonly recorder: EventRecorder;
  readonly sender: MailSender;
  readonly lateJoin: LateJoin;
  readonly publisher: FailurePublisher;
  readonly storage: Storage;
  readonly queues: Queues;
}

export class Metrics {
  readonly #stackName: string;
  readonly #parts: Parts;

  constructor(scope: Construct, parts: Parts) {
    this.#stackName = Stack.of(scope).stackName;
    this.#parts = parts;
  }

  /** A metric that the functions count, for one provider. See metric-names.ts. */
  count(metricName: MetricName, provider: Provider): Metric {
    const [stackName, providerName] = METRIC_DIMENSIONS;
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: { [stackName]: this.#stackName, [providerName]: provider },
      statistic: Stats.SUM,
      label: `${metricName}, ${provider}`,
    });
  }

  /** The same metric for each provider. */
  counts(metricName: MetricName): Metric[] {
    return PROVIDERS.map((provider) => this.count(metricName, provider));
  }

  /** The same metric for each provider whose webhook the stack receives. */
  receivedCounts(metricName: MetricName): Metric[] {
    return this.receivedProviders.map((provider) => this.count(metricName, provider));
  }

  /** The providers whose webhooks the stack receives. */
  get receivedProviders(): Provider[] {
    const { sendGrid, customersMailCloud } = this.#parts;
    return [
      ...(sendGrid ? (['sendgrid'] as const) : []),
      ...(customersMailCloud ? (['customers-mail-cloud'] as const) : []),
    ];
  }

  /** The percentage of bounces among mails that bounced or were delivered; 0 if these are fewer than `least`. */
  bounceRate(provider: Provider, least: number): MathExpression {
    const id = provider.replaceAll('-', '_');
    const ended = `SUM([${id}_bounced, ${id}_delivered])`;
    return new MathExpression({
      expression: `IF(${ended} >= ${least}, 100 * ${id}_bounced / ${ended}, 0)`,
      usingMetrics: {
        [`${id}_bounced`]: this.count('Bounced', provider),
        [`${id}_delivered`]: this.count('Delivered', provider),
      },
      label: `percent, ${provider}`,
    });
  }

  /** 5xx answers of the webhooks, also those that AWS gives if a function fails or is throttled. */
  get webhookErrors(): Metric[] {
    const { sendGrid, customersMailCloud } = this.#parts;
    return [
      ...(sendGrid ? [sendGrid.api.metricServerError({ statistic: Stats.SUM, label: 'sendgrid' })] : []),
      // Lambda's Developer Guide, "Monitoring Lambda function URLs".
      ...(customersMailCloud
        ? [customersMailCloud.receive.metric('Url5xxCount', { statistic: Stats.SUM, label: 'customers-mail-cloud' })]
        : []),
    ];
  }

  /** All functions except the console's. */
  get #functions() {
    const { sendGrid, customersMailCloud } = this.#parts;
    return [...[sendGrid, customersMailCloud].flatMap((receiver) => receiver?.receive ?? []), ...this.#workers];
  }

  /** The functions that streams and queues call. */
  get #workers() {
    return [this.#parts.recorder.record, ...this.#streamReaders];
  }

  get #streamReaders() {
    const { sender, lateJoin, publisher } = this.#parts;
    return [sender.send, lateJoin.join, publisher.publish];
  }

  /** Crashes and timeouts of the functions that streams and queues call. Those of a receiver are in webhookErrors. */
  get functionErrors(): Metric[] {
    return this.#workers.map((it) => it.metricErrors({ label: it.node.id }));
  }

  /** Calls that AWS throttled, of all functions except the console's. */
  get throttles(): Metric[] {
    return this.#functions.map((it) => it.metricThrottles({ label: it.node.id }));
  }

  /**
   * Write units of tables, without indexes. A row of SentLog costs the same again in one index, a row of Bounce in two.
   */
  get writeUnits(): Metric[] {
    return this.tables('ConsumedWriteCapacityUnits').filter(({ label }) => !label?.includes(' '));
  }

  /** A metric of the tables and of their indexes. The metric of a table does not include its indexes. */
  tables(metricName: 'ConsumedWriteCapacityUnits' | 'WriteThrottleEvents'): Metric[] {
    return this.#parts.storage.writable.map(({ table, index }) =>
      table.metric(metricName, {
        statistic: Stats.SUM,
        label: [table.node.id, ...(index ? [index] : [])].join(' '),
        ...(index && { dimensionsMap: { TableName: table.tableName, GlobalSecondaryIndexName: index } }),
      }),
    );
  }

  /** Milliseconds: the age of the last record of each batch when the function gets it. */
  get streamAges(): Metric[] {
    return this.#streamReaders.map((it) => it.metric('IteratorAge', { statistic: Stats.MAXIMUM, label: it.node.id }));
  }

  /** The waiting time of the oldest post, in seconds. SQS leaves out messages that were received three times. */
  get oldestPostAge(): Metric {
    return this.#parts.queues.events.metricApproximateAgeOfOldestMessage({
      statistic: Stats.MAXIMUM,
      label: 'oldest post (s)',
    });
  }

  /** Messages in FailureQueue. */
  get givenUp(): Metric {
    return this.#parts.queues.failures.metricApproximateNumberOfMessagesVisible({
      statistic: Stats.MAXIMUM,
      label: 'given up',
    });
  }

  /** Given-up work of the streams that Lambda could not even put into FailureQueue. */
  get lost(): Metric[] {
    return this.#streamReaders.map((it) =>
      it.metric('DestinationDeliveryFailures', { statistic: Stats.SUM, label: `lost by ${it.node.id}` }),
    );
  }

  /** Invocations of join-late-events. There are some if mail was logged, by send-mail or by an application. */
  get logged(): Metric {
    return this.#parts.lateJoin.join.metricInvocations({ label: 'log rows' });
  }
}

/**
 * Combines several metrics by `SUM` or `MAX` of a list. These functions leave out a metric that has no data. `+` would
 * count it as 0, but only if another metric of the sum has data.
 */
export function combined(by: 'SUM' | 'MAX', metrics: readonly IMetric[], period: Duration): MathExpression {
  const usingMetrics = numbered('m', metrics);
  return new MathExpression({ expression: `${by}([${Object.keys(usingMetrics).join(', ')}])`, usingMetrics, period });
}

/** The metrics with names for an expression: `m1`, `m2`, … */
export function numbered(letters: string, metrics: readonly IMetric[]): Record<string, IMetric> {
  return Object.fromEntries(metrics.map((metric, index) => [`${letters}${index + 1}`, metric]));
}
