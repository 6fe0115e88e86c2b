/** The metrics of one stack: its functions' own, and AWS's of its parts. */
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

/** The parts of the stack that have metrics. */
export interface Parts {
  /** Undefined if the setting `providers` leaves it out. */
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

  /** How many there were, by the functions' own count. */
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

  /** The same for each provider. */
  counts(metricName: MetricName): Metric[] {
    return PROVIDERS.map((provider) => this.count(metricName, provider));
  }

  /** The same for each provider whose webhook the stack receives. */
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

  /** Percent of the mails that were delivered or bounced; 0 for fewer than `least` of them. */
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

  /** Answers 5xx of the webhooks, also those that AWS gives while a function fails or is throttled. */
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

  /** Those behind the webhooks, and the others. */
  get #functions() {
    const { sendGrid, customersMailCloud } = this.#parts;
    return [...[sendGrid, customersMailCloud].flatMap((receiver) => receiver?.receive ?? []), ...this.#workers];
  }

  /** The functions that streams and the event queue call. */
  get #workers() {
    return [this.#parts.recorder.record, ...this.#streamReaders];
  }

  get #streamReaders() {
    const { sender, lateJoin, publisher } = this.#parts;
    return [sender.send, lateJoin.join, publisher.publish];
  }

  /** Functions that crashed or ran out of time. A receiver's show in what its webhook answers. */
  get functionErrors(): Metric[] {
    return this.#workers.map((it) => it.metricErrors({ label: it.node.id }));
  }

  /** Calls that AWS turned away, of all functions. */
  get throttles(): Metric[] {
    return this.#functions.map((it) => it.metricThrottles({ label: it.node.id }));
  }

  /** Of tables. A row of SentLog costs as much again in one of its indexes, a row of Bounce in both of its own. */
  get writeUnits(): Metric[] {
    return this.tables('ConsumedWriteCapacityUnits').filter(({ label }) => !label?.includes(' '));
  }

  /** Of tables and of their indexes, which a table's own metric does not count. */
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

  /** Seconds for which the oldest post has waited. SQS leaves out messages that were received three times. */
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

  /** Given-up work of the streams that did not even get into FailureQueue. */
  get lost(): Metric[] {
    return this.#streamReaders.map((it) =>
      it.metric('DestinationDeliveryFailures', { statistic: Stats.SUM, label: `lost by ${it.node.id}` }),
    );
  }

  /** How often log rows were looked at: more than never where mail was sent, by whomever. */
  get logged(): Metric {
    return this.#parts.lateJoin.join.metricInvocations({ label: 'log rows' });
  }
}

/**
 * One number of several metrics, by `SUM` or `MAX` of a list. These leave out a metric that has no data; `+` would count
 * it as 0, but only if another metric of the sum has data.
 */
export function combined(by: 'SUM' | 'MAX', metrics: readonly IMetric[], period: Duration): MathExpression {
  const usingMetrics = numbered('m', metrics);
  return new MathExpression({ expression: `${by}([${Object.keys(usingMetrics).join(', ')}])`, usingMetrics, period });
}

/** The metrics under names by which an expression can call them: `m1`, `m2`, … */
export function numbered(letters: string, metrics: readonly IMetric[]): Record<string, IMetric> {
  return Object.fromEntries(metrics.map((metric, index) => [`${letters}${index + 1}`, metric]));
}
