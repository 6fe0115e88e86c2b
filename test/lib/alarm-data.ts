/** Metric data of a local stack: three healthy days, and the problems that its alarms must detect. */
import { physicalName } from '../../local/stack/physical-resources.ts';
import type { Point } from './alarm-evaluator.ts';

const HOUR = 60;
export const DAY = 24 * HOUR;
/** Now, in minutes since the start of the data. */
export const NOW = 3 * DAY;

const name = (logicalId: string) => physicalName('Todoke', logicalId);
const ours = (metric: string, provider: string) => `Todoke ${metric} ${provider} Todoke`;
const lambda = (metric: string, logicalId: string) => `AWS/Lambda ${metric} ${name(logicalId)}`;
const waiting = (logicalId: string) => `AWS/SQS ApproximateNumberOfMessagesVisible ${name(logicalId)}`;
const OLDEST_POST = `AWS/SQS ApproximateAgeOfOldestMessage ${name('EventQueue')}`;
const writeThrottles = (...of: string[]) => ['AWS/DynamoDB WriteThrottleEvents', ...of].join(' ');
const API = 'AWS/ApiGateway 5XXError Todoke SendGrid webhook';

const STREAM_READERS = ['SendMail', 'JoinLateEvents', 'PublishFailures'];
const WORKERS = ['RecordEvents', ...STREAM_READERS];
const FUNCTIONS = ['ReceiveSendGrid', 'ReceiveCustomersMailCloud', ...WORKERS];

const once = (metric: string, minute: number, value = 1): Point[] => [{ metric, minute, value }];
/** A point every `stepMinutes`, from `begin` until now. */
const every = (metric: string, stepMinutes: number, value = 1, begin = 0): Point[] =>
  Array.from({ length: Math.ceil((NOW - begin) / stepMinutes) }, (_, index) => ({
    metric,
    minute: begin + index * stepMinutes,
    value,
  }));
const each = (names: readonly string[], points: (name: string) => Point[]) => names.flatMap(points);

/** SendGrid sends all day; Customers Mail Cloud sends a mail in the morning. A few problems occur and end by themselves. */
export const HEALTHY: readonly Point[] = [
  ...every(ours('Sent', 'sendgrid'), 10, 30),
  ...every(ours('Received', 'sendgrid'), 10, 60),
  ...every(ours('Delivered', 'sendgrid'), 10, 30),
  ...every(ours('Bounced', 'sendgrid'), 15),
  ...every(ours('Dropped', 'sendgrid'), 3 * HOUR),
  ...every(ours('Unmatched', 'sendgrid'), HOUR),
  ...every(ours('Refused', 'sendgrid'), HOUR),
  ...every(ours('NotSent', 'sendgrid'), 2 * HOUR),
  ...every(ours('Retried', 'sendgrid'), 5, 3),
  ...every(ours('Sent', 'customers-mail-cloud'), DAY, 2, 9 * HOUR),
  ...every(ours('Received', 'customers-mail-cloud'), DAY, 2, 9 * HOUR + 1),
  ...every(ours('Delivered', 'customers-mail-cloud'), DAY, 1, 9 * HOUR + 1),
  ...every(ours('Bounced', 'customers-mail-cloud'), DAY, 1, 9 * HOUR + 1),
  ...every(lambda('Invocations', 'JoinLateEvents'), 10, 5),
  ...each(FUNCTIONS, (id) => every(lambda('Errors', id), 5, 0)),
  ...each(FUNCTIONS, (id) => every(lambda('Throttles', id), 5, 0)),
  ...once(lambda('Errors', 'SendMail'), 700),
  ...once(lambda('Throttles', 'ReceiveSendGrid'), 705, 200),
  ...every(lambda('IteratorAge', 'SendMail'), 5, 800),
  ...every(lambda('IteratorAge', 'JoinLateEvents'), 5, 400),
  ...every(lambda('IteratorAge', 'PublishFailures'), 5, 300),
  ...once(lambda('IteratorAge', 'SendMail'), 710, 900_000),
  ...every(API, 5, 0),
  ...once(API, 720, 3),
  ...every(lambda('Url5xxCount', 'ReceiveCustomersMailCloud'), 5, 0),
  // The tables refused a post once, and a campaign took longer.
  ...once(ours('Unrecorded', 'sendgrid'), 721, 10),
  ...every(OLDEST_POST, 5, 2),
  ...once(OLDEST_POST, 722, 1_200),
  ...every(waiting('FailureQueue'), 5, 0),
  ...once(writeThrottles(name('Bounce')), 730, 500),
];

/** The first mail for days, of which no event can have come yet: through Customers Mail Cloud, and from an application. */
export const FIRST_MAIL: readonly Point[] = [
  ...once(ours('Sent', 'customers-mail-cloud'), NOW - 1),
  ...once(lambda('Invocations', 'JoinLateEvents'), NOW - 1),
];

/** The problem, by the logical id of the alarm that must fire. Other metrics are as on a day without mail. */
export const TROUBLES: Readonly<Record<string, readonly (readonly Point[])[]>> = {
  RefusedPosts: [
    every(ours('Refused', 'sendgrid'), 2, 1, NOW - 30),
    every(ours('Refused', 'customers-mail-cloud'), 5, 2, NOW - 30),
  ],
  FailingWebhooks: [
    every(API, 5, 1, NOW - 30),
    every(lambda('Url5xxCount', 'ReceiveCustomersMailCloud'), 5, 1, NOW - 30),
  ],
  // A post that cannot be recorded is received again every six minutes.
  UnrecordedPosts: ['sendgrid', 'customers-mail-cloud'].map((it) => every(ours('Unrecorded', it), 6, 1, NOW - 30)),
  LatePosts: [every(OLDEST_POST, 5, 900, NOW - 15)],
  UnrecognizedEvents: [
    once(ours('Unrecognized', 'sendgrid'), NOW - 2),
    once(ours('Unrecognized', 'customers-mail-cloud'), NOW - 2),
  ],
  SilentSendGrid: [
    every(ours('Sent', 'sendgrid'), HOUR, 50, NOW - 2 * DAY),
    // Events of Customers Mail Cloud do not replace SendGrid's.
    [
      ...every(ours('Sent', 'sendgrid'), DAY, 1, NOW - 2 * DAY),
      ...every(ours('Received', 'customers-mail-cloud'), HOUR),
    ],
  ],
  SilentCustomersMailCloud: [
    every(ours('Sent', 'customers-mail-cloud'), DAY, 1, NOW - 2 * DAY),
    [...every(ours('Sent', 'customers-mail-cloud'), HOUR), ...every(ours('Received', 'sendgrid'), HOUR)],
  ],
  SilentProviders: [every(lambda('Invocations', 'JoinLateEvents'), DAY, 1, NOW - 2 * DAY)],
  // A mail that waits long is retried every quarter of an hour.
  LateMails: ['sendgrid', 'customers-mail-cloud'].map((it) => every(ours('RetriedLate', it), 15, 1, NOW - HOUR)),
  DeadKey: [
    once(ours('UnauthorizedHandovers', 'sendgrid'), NOW - 2),
    once(ours('UnauthorizedHandovers', 'customers-mail-cloud'), NOW - 2),
  ],
  FailedMails: [
    every(ours('NotSent', 'sendgrid'), 10, 1, NOW - 30),
    once(ours('NotSent', 'customers-mail-cloud'), NOW - 2, 3),
  ],
  HighBounceRate: [
    [
      ...every(ours('Delivered', 'sendgrid'), HOUR, 10, NOW - DAY),
      ...every(ours('Bounced', 'sendgrid'), HOUR, 1, NOW - DAY),
    ],
    // No deliveries, while the other provider works.
    [
      ...once(ours('Bounced', 'customers-mail-cloud'), NOW - 2, 50),
      ...every(ours('Delivered', 'sendgrid'), HOUR, 10, NOW - DAY),
      ...every(ours('Bounced', 'sendgrid'), DAY, 1, NOW - DAY),
    ],
  ],
  LateStreams: STREAM_READERS.map((id) => every(lambda('IteratorAge', id), 5, 1_200_000, NOW - 15)),
  GivenUp: [
    once(waiting('FailureQueue'), NOW - 2),
    // The failure record did not reach the queue, so the queue stays empty.
    ...STREAM_READERS.map((id) => [
      ...every(waiting('FailureQueue'), 5, 0, NOW - 30),
      ...once(lambda('DestinationDeliveryFailures', id), NOW - 2),
    ]),
  ],
  FailingFunctions: WORKERS.map((id) => every(lambda('Errors', id), 10, 1, NOW - 30)),
  ThrottledFunctions: FUNCTIONS.map((id) => every(lambda('Throttles', id), 5, 1, NOW - 15)),
  ThrottledTables: [
    [name('Mail')],
    [name('SentLog')],
    ['byDay', name('SentLog')],
    ['byRecipient', name('SentLog')],
    [name('Bounce')],
    ['byRecipient', name('Bounce')],
    ['byDay', name('Bounce')],
  ].map((of) => every(writeThrottles(...of), 5, 1, NOW - 15)),
};

/** Data just below a problem, by the logical id of the alarm that must not fire. */
export const NEAR_MISSES: Readonly<Record<string, readonly Point[]>> = {
  RefusedPosts: every(ours('Refused', 'sendgrid'), 15, 1, NOW - HOUR),
  FailedMails: once(ours('NotSent', 'sendgrid'), NOW - 2, 2),
  // One mail that waits a little longer than an hour.
  LateMails: once(ours('RetriedLate', 'sendgrid'), NOW - 2, 3),
  UnrecordedPosts: every(ours('Unrecorded', 'sendgrid'), 3, 5, NOW - 15),
  LatePosts: every(OLDEST_POST, 5, 899, NOW - HOUR),
  // One bounce of two mails, and half of 49 mails.
  HighBounceRate: [
    ...once(ours('Bounced', 'sendgrid'), NOW - 2),
    ...once(ours('Delivered', 'sendgrid'), NOW - 2),
    ...once(ours('Bounced', 'customers-mail-cloud'), NOW - 2, 24),
    ...once(ours('Delivered', 'customers-mail-cloud'), NOW - 2, 25),
  ],
  SilentSendGrid: every(ours('Sent', 'sendgrid'), HOUR, 50, NOW - DAY),
  LateStreams: every(lambda('IteratorAge', 'SendMail'), 5, 599_999, NOW - HOUR),
  ThrottledFunctions: every(lambda('Throttles', 'SendMail'), 5, 100, NOW - 10),
};
