/**
 * The construct of the dashboard. It has at most 50 metrics, so that it can be one of the three that AWS gives free.
 */
import { Duration, Stack } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  type IMetric,
  PeriodOverride,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import type { MetricName } from '../lambda/aws/metric-names.ts';
import type { Provider } from '../lambda/mail/provider.ts';
import type { Alarms } from './alarms.ts';
import { fixLogicalId } from './logical-id.ts';
import type { Metrics } from './metrics.ts';

const WIDTH = 24;
const PERIOD = Duration.minutes(5);

export class Dashboard extends Construct {
  readonly url: string;

  constructor(scope: Construct, id: string, { metrics, alarms }: { metrics: Metrics; alarms: Alarms }) {
    super(scope, id);
    const { stackName, region } = Stack.of(this);
    const dashboard = new CloudWatchDashboard(this, 'Dashboard', {
      // All regions of an account share the names of dashboards.
      dashboardName: `${stackName}-${region}`,
      defaultInterval: Duration.days(1),
      periodOverride: PeriodOverride.INHERIT,
      widgets: rows(metrics, alarms),
    });
    fixLogicalId(dashboard, id);
    this.url = `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/${stackName}-${region}`;
  }
}

function rows(metrics: Metrics, alarms: Alarms) {
  const providers = metrics.receivedProviders;
  const ofReceived = (name: MetricName, provider: Provider) =>
    providers.includes(provider) ? [metrics.count(name, provider)] : [];
  return [
    [new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms.all], width: WIDTH, height: 3 })],
    row(
      graph('Events received', [...metrics.receivedCounts('Received'), ...metrics.receivedCounts('Delivered')]),
      graph('Recorded, by outcome', [
        ...metrics.receivedCounts('Bounced'),
        ...metrics.receivedCounts('Dropped'),
        ...ofReceived('Complained', 'sendgrid'),
        ...ofReceived('Failed', 'customers-mail-cloud'),
      ]),
      graph(
        'Bounce rate, by the day (%)',
        providers.map((provider) => metrics.bounceRate(provider, 1)),
        Duration.days(1),
      ),
    ),
    row(
      graph('Unmatched and unrecognized events', [
        ...metrics.receivedCounts('Unmatched'),
        ...metrics.receivedCounts('Unrecognized'),
      ]),
      graph('Failures published', metrics.counts('Published')),
      graph('Posts: refused, or not recorded', [...metrics.receivedCounts('Refused'), ...metrics.counts('Unrecorded')]),
    ),
    row(
      graph('Mails sent', metrics.counts('Sent')),
      graph('Mails not sent; recipients left out; attempts put off', [
        ...metrics.counts('NotSent'),
        ...metrics.counts('Suppressed'),
        ...metrics.counts('Retried'),
      ]),
      graph('Waiting: records in streams (ms), the oldest post (s)', [...metrics.streamAges, metrics.oldestPostAge]),
    ),
    row(
      graph('Failures', [...metrics.webhookErrors, ...metrics.functionErrors, metrics.givenUp]),
      graph('Costs: write units of tables, without indexes', metrics.writeUnits),
    ),
  ];
}

interface Graph {
  readonly title: string;
  readonly left: IMetric[];
  readonly period: Duration;
}

function graph(title: string, left: readonly IMetric[], period = PERIOD): Graph {
  return { title, left: [...left], period };
}

function row(...graphs: readonly Graph[]): GraphWidget[] {
  return graphs.map((props) => new GraphWidget({ ...props, width: WIDTH / graphs.length, height: 6 }));
}
