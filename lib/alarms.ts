/** The construct of the alarms, which fire when a person must act. Missing data never fires an alarm. */
import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IAlarm,
  type IMetric,
  MathExpression,
  type Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Provider } from '../lambda/mail/provider.ts';
import { fixLogicalId } from './logical-id.ts';
import { combined, type Metrics, numbered } from './metrics.ts';

/** The providers review an account with a higher rate. */
const BOUNCE_RATE_PERCENT = 5;
/** With fewer mails a day the rate is not meaningful. */
const BOUNCE_RATE_MAILS = 50;

/** Normally records are read within seconds. */
const STREAM_AGE_MS = Duration.minutes(10).toMilliseconds();

/** Normally posts are recorded within seconds, and after a large campaign within minutes. */
const POST_AGE_SECONDS = Duration.minutes(15).toSeconds();

const FIVE_MINUTES = Duration.minutes(5);
const QUARTER_OF_AN_HOUR = Duration.minutes(15);
const HALF_AN_HOUR = Duration.minutes(30);
const HOUR = Duration.hours(1);
const DAY = Duration.days(1);

interface AlarmDefinition {
  readonly metric: IMetric;
  /** The alarm fires at this value and above. */
  readonly atLeast: number;
  /** How many periods in a row must have such a value; 1 if left out. */
  readonly periods?: number;
  /** What happened and what to do, in two or three sentences. */
  readonly description: string;
  /** The anchor of the section of docs/operations.md that says more. */
  readonly anchor: string;
}

export class Alarms extends Construct {
  readonly all: readonly IAlarm[];

  constructor(scope: Construct, id: string, { metrics, topic }: { metrics: Metrics; topic: ITopic }) {
    super(scope, id);
    const action = new SnsAction(topic);
    this.all = Object.entries({ ...webhookAlarms(metrics), ...mailAlarms(metrics), ...awsAlarms(metrics) }).map(
      ([logicalId, { metric, atLeast, periods = 1, description, anchor }]) => {
        const alarm = new Alarm(this, logicalId, {
          metric,
          threshold: atLeast,
          comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
          evaluationPeriods: periods,
          treatMissingData: TreatMissingData.NOT_BREACHING,
          alarmDescription: `${description} More: docs/operations.md#${anchor}`,
        });
        fixLogicalId(alarm, logicalId);
        alarm.addAlarmAction(action);
        alarm.addOkAction(action);
        return alarm;
      },
    );
  }
}

function webhookAlarms(metrics: Metrics): Record<string, AlarmDefinition> {
  return {
    RefusedPosts: {
      metric: combined('SUM', metrics.receivedCounts('Refused'), HOUR),
      // Each run of `npm run doctor` posts two that are refused.
      atLeast: 10,
      description:
        'A webhook refused ten posts or more within an hour (answers 400, 401, 405, 413 and 415). If a key was changed at the provider, add the new one to WebhookSecret; otherwise somebody else may be posting to the address. The log of the receiver says why each was refused.',
      anchor: 'refused-posts',
    },
    FailingWebhooks: {
      metric: combined('SUM', metrics.webhookErrors, HOUR),
      atLeast: 5,
      description:
        'A webhook answered five posts or more with 5xx within an hour: it is not configured, EventQueue did not accept a post, or its function failed. Look for "webhook" with status 503 in the logs of the receivers.',
      anchor: 'failing-webhooks',
    },
    UnrecordedPosts: {
      // The sum of all providers, because a message that cannot be read counts as the first provider's.
      metric: combined('SUM', metrics.counts('Unrecorded'), QUARTER_OF_AN_HOUR),
      atLeast: 1,
      periods: 2,
      description:
        'Posts could not be recorded for half an hour. They stay in EventQueue and are tried every six minutes for four days; look at the log of RecordEvents.',
      anchor: 'unrecorded-posts',
    },
    LatePosts: {
      metric: metrics.oldestPostAge.with({ period: FIVE_MINUTES }),
      atLeast: POST_AGE_SECONDS,
      periods: 3,
      description:
        'Posts have waited in EventQueue for more than 15 minutes: RecordEvents is slower than the providers post. Look at its errors and throttles and at those of the tables, or raise recordEventsMaximumConcurrency.',
      anchor: 'late-posts',
    },
    UnrecognizedEvents: {
      metric: combined('SUM', metrics.receivedCounts('Unrecognized'), HOUR),
      atLeast: 1,
      description:
        'A provider posted an event that Todoke does not know. It is kept in Bounce with outcome "unrecognized". Upgrade Todoke, then run npm run replay.',
      anchor: 'unrecognized-events',
    },
    ...Object.fromEntries(metrics.receivedProviders.map((provider) => silenceOf(provider, metrics))),
    SilentProviders: silence(
      { mailed: metrics.logged, events: metrics.receivedCounts('Received') },
      'Mail was logged on two days running, perhaps by an application that sends by itself, and no provider reported any event. Check that the webhook of your provider is on.',
    ),
  };
}

const SILENCE: Readonly<Record<Provider, readonly [logicalId: string, description: string]>> = {
  sendgrid: [
    'SilentSendGrid',
    'Mail was sent through SendGrid on two days running, and SendGrid reported no event of any mail. Check that its Event Webhook is on, with the address SendGridWebhookUrl.',
  ],
  'customers-mail-cloud': [
    'SilentCustomersMailCloud',
    'Mail was sent through Customers Mail Cloud on two days running, and it reported no event of any mail. Check that its webhook is on, with the address CustomersMailCloudWebhookUrl.',
  ],
};

function silenceOf(provider: Provider, metrics: Metrics): [logicalId: string, alarm: AlarmDefinition] {
  const [logicalId, description] = SILENCE[provider];
  const events = [metrics.count('Received', provider)];
  return [logicalId, silence({ mailed: metrics.count('Sent', provider), events }, description)];
}

/**
 * Fires after two days with mail and without any event. One day is not enough: after a day without mail, the first mail
 * has no event for some seconds. Without events `Received` has no data instead of 0. `none` is 0 on every
 * day with mail, so that SUM has a value.
 */
function silence({ mailed, events }: { mailed: Metric; events: readonly Metric[] }, description: string) {
  const numberedEvents = numbered('events', events);
  return {
    metric: new MathExpression({
      expression: `IF((mailed > 0) AND (SUM([${[...Object.keys(numberedEvents), 'none'].join(', ')}]) == 0), 1, 0)`,
      usingMetrics: {
        mailed,
        none: new MathExpression({ expression: 'mailed * 0', usingMetrics: { mailed }, period: DAY }),
        ...numberedEvents,
      },
      period: DAY,
    }),
    atLeast: 1,
    periods: 2,
    description,
    anchor: 'no-events',
  };
}

function mailAlarms(metrics: Metrics): Record<string, AlarmDefinition> {
  return {
    LateMails: {
      metric: combined('SUM', metrics.counts('RetriedLate'), HALF_AN_HOUR),
      atLeast: 1,
      periods: 2,
      description:
        'Mails have waited for more than an hour because their provider does not accept them now. Each item with nextAttemptAt says why in "error". An item becomes "failed" six hours after it was put into the Mail table.',
      anchor: 'late-mails',
    },
    DeadKey: {
      metric: combined('SUM', metrics.counts('UnauthorizedHandovers'), FIVE_MINUTES),
      atLeast: 1,
      description:
        'A provider refused the credentials that mail is sent with: no mail of that provider goes out. Put a key that works into SenderSecret, then run npm run resend -- --all.',
      anchor: 'dead-key',
    },
    FailedMails: {
      metric: combined('SUM', metrics.counts('NotSent'), HOUR),
      atLeast: 3,
      description:
        'Three mails or more failed within an hour and were not sent. Each item of the Mail table with status "failed" says why in "error"; fix the cause, then run npm run resend -- --all.',
      anchor: 'failed-mails',
    },
    HighBounceRate: {
      metric: combined(
        'MAX',
        metrics.receivedProviders.map((provider) => metrics.bounceRate(provider, BOUNCE_RATE_MAILS)),
        DAY,
      ),
      atLeast: BOUNCE_RATE_PERCENT,
      description: `Within a day, ${BOUNCE_RATE_PERCENT} percent or more of the mails through one provider bounced, counting the mails that were delivered or bounced (at least ${BOUNCE_RATE_MAILS}). Stop sending to addresses that Bounce has with bounceClass "hard", before the provider suspends the account.`,
      anchor: 'high-bounce-rate',
    },
  };
}

function awsAlarms(metrics: Metrics): Record<string, AlarmDefinition> {
  return {
    LateStreams: {
      metric: combined('MAX', metrics.streamAges, FIVE_MINUTES),
      atLeast: STREAM_AGE_MS,
      periods: 3,
      description:
        'The stream of Mail, SentLog or Bounce is read more than ten minutes late: mails wait to be sent, log rows to be joined, or failures to be published. Records that cannot be processed are given up after twelve hours; look at the logs of SendMail, JoinLateEvents and PublishFailures.',
      anchor: 'late-streams',
    },
    GivenUp: {
      metric: combined('MAX', [metrics.givenUp, ...metrics.lost], FIVE_MINUTES),
      atLeast: 1,
      description:
        'Work was given up after its last attempt, and is in FailureQueue for 14 days (a post for about ten). Look at the message: it names the function, or is a post. If FailureQueue is empty, Lambda could not even put a message there (DestinationDeliveryFailures): look at the logs of SendMail, JoinLateEvents and PublishFailures.',
      anchor: 'given-up',
    },
    FailingFunctions: {
      metric: combined('SUM', metrics.functionErrors, HOUR),
      atLeast: 3,
      description:
        'RecordEvents, SendMail, JoinLateEvents or PublishFailures crashed or ran out of time three times or more within an hour. AWS tries again; look at the log of the function for the cause.',
      anchor: 'failing-functions',
    },
    ThrottledFunctions: {
      metric: combined('SUM', metrics.throttles, FIVE_MINUTES),
      atLeast: 1,
      periods: 3,
      description:
        "For 15 minutes AWS has turned calls of a function away: the account's concurrency, or a reserved concurrency of a receiver, is used up. Raise it.",
      anchor: 'throttled-functions',
    },
    ThrottledTables: {
      metric: combined('SUM', metrics.tables('WriteThrottleEvents'), FIVE_MINUTES),
      atLeast: 1,
      periods: 3,
      description:
        "For 15 minutes DynamoDB has turned writes to a table or index away. On-demand tables grow by themselves: wait, or raise the account's limits for tables.",
      anchor: 'throttled-tables',
    },
  };
}
