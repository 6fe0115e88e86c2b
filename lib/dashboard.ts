/** Whether all is well, on one page. At most 50 metrics: with more, a dashboard is none of the three free ones. */
import { Duration, Stack } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  type IMetric,
  PeriodOverride,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { PROVIDERS } from '../lambda/mail/provider.ts';
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
      // An account's dashboards are of all its regions.
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
  const [sendGrid, customersMailCloud] = PROVIDERS;
  return [
    [new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms.all], width: WIDTH, height: 3 })],
    row(
      graph('Events received', [...metrics.counts('Received'), ...metrics.counts('Delivered')]),
      graph('Recorded, by outcome', [
        ...metrics.counts('Bounced'),
        ...metrics.counts('Dropped'),
        metrics.count('Complained', sendGrid),
        metrics.count('Failed', customersMailCloud),
      ]),
      graph(
        'Bounce rate, by the day (%)',
        PROVIDERS.map((provider) => metrics.bounceRate(provider, 1)),
        Duration.days(1),
      ),
    ),
    row(
      graph('Unmatched and unrecognized events', [...metrics.counts('Unmatched'), ...metrics.counts('Unrecognized')]),
      graph('Refused posts, and posts in the spill queue', [...metrics.counts('Refused'), ...metrics.spilled]),
      graph(
        'A post takes, 99 of 100 (ms)',
        metrics.receivers.map((it) => it.metricDuration({ statistic: Stats.p(99), label: it.node.id })),
      ),
    ),
    row(
      graph('Mails sent', metrics.counts('Sent')),
      graph('Mails not sent, or tried again', [...metrics.counts('NotSent'), ...metrics.counts('Retried')]),
      graph('A record waits in its stream (ms)', metrics.streamAges),
    ),
    row(
      graph('Failures', [...metrics.webhookErrors, ...metrics.functionErrors, metrics.givenUp]),
      graph('Costs: write units', metrics.tables('ConsumedWriteCapacityUnits')),
      graph(
        'Costs: functions, invocations × duration (ms of 1 GB)',
        metrics.functions.map((it) => it.metricDuration({ statistic: Stats.SUM, label: it.node.id })),
      ),
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
