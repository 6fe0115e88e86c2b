/** The arithmetic of docs/performance.md for a million and for a billion events a day. */
import { DAY_PARTITIONS } from '../../lambda/recording/keys.ts';
import { markdown } from './markdown.ts';

/** Of 100 events: 44 processed, 1 deferred, 42 delivered; 3 failures; 10 opens and clicks. */
const [PROGRESS, FAILURES, MAILS] = [0.87, 0.03, 0.44];
/** Write units, of rows under 1 KB each: a story row; a Bounce row with its two indexes; a log row with its index. */
const [STORY_UNITS, BOUNCE_UNITS, LOG_ROW_UNITS] = [1, 3, 2];
/** A log row of up to 4 KB, read eventually consistent. */
const LOOK_UNITS = 0.5;
const PEAK = 10;
const DAY_S = 86_400;

/** Bytes as stored, with DynamoDB's 100 of its own: rows of the bench's posts. */
const [STORY_BYTES, BOUNCE_BYTES] = [317 + 100, 722 + 100];
const MONTHS_KEPT = 6;

/** USD, us-east-1, list prices of November 2026. */
const PRICES = {
  writeUnits: 0.625 / 1e6,
  readUnits: 0.125 / 1e6,
  lambdaRequests: 0.2 / 1e6,
  lambdaGbSeconds: 0.0000133334,
  apiRequests: 3.5 / 1e6,
  logGb: 0.5,
  storageGbMonth: 0.25,
  recoveryGbMonth: 0.2,
};
/** A line of the function's, those of the platform, and one of the access log. */
const LOG_BYTES_PER_POST = 1_000;

interface Scale {
  readonly eventsPerDay: number;
  /** The busier, the more events SendGrid puts into one post: assumed. */
  readonly eventsPerPost: number;
  readonly postSeconds: number;
}

const SCALES: readonly Scale[] = [
  { eventsPerDay: 1e6, eventsPerPost: 10, postSeconds: 0.05 },
  { eventsPerDay: 1e9, eventsPerPost: 100, postSeconds: 0.1 },
];

export function scaleTable(): string {
  const rows: [string, (scale: Scale) => number][] = [
    ['events a second, on average', events],
    [`events a second, at the peak (× ${PEAK})`, (scale) => events(scale) * PEAK],
    ['posts = invocations a day', (scale) => scale.eventsPerDay / scale.eventsPerPost],
    ['posts a second at the peak', posts],
    ['concurrency at the peak: posts a second × seconds', (scale) => posts(scale) * scale.postSeconds],
    ['SentLog: story rows a second at the peak', (scale) => events(scale) * PEAK * storyRows],
    ['SentLog: log rows, in the table and its index', (scale) => events(scale) * PEAK * MAILS * LOG_ROW_UNITS],
    [
      'Bounce: units a second at the peak, its two indexes included',
      (scale) => events(scale) * PEAK * FAILURES * BOUNCE_UNITS,
    ],
    ['read units a second at the peak', (scale) => events(scale) * PEAK * FAILURES * LOOK_UNITS],
    [
      'log rows a second for each partition of SentLog’s byDay',
      (scale) => (events(scale) * PEAK * MAILS) / DAY_PARTITIONS,
    ],
    [
      'failures a second for each partition of Bounce’s byDay',
      (scale) => (events(scale) * PEAK * FAILURES) / DAY_PARTITIONS,
    ],
    ['the same where a third of a campaign bounces', (scale) => (events(scale) * PEAK) / 3 / DAY_PARTITIONS],
  ];
  return markdown(
    ['', ...SCALES.map(({ eventsPerDay }) => `${eventsPerDay.toLocaleString('en-US')} a day`)],
    rows.map(([what, number]) => [what, ...SCALES.map((scale) => text(number(scale)))]),
  );
}

const storyRows = PROGRESS + FAILURES;
const events = ({ eventsPerDay }: Scale) => eventsPerDay / DAY_S;
const posts = (scale: Scale) => (events(scale) * PEAK) / scale.eventsPerPost;

export function costTable(): string {
  const perMillion = 1e6;
  const writes = storyRows * STORY_UNITS + FAILURES * BOUNCE_UNITS;
  const gb = (perMillion * (storyRows * STORY_BYTES + FAILURES * BOUNCE_BYTES * BOUNCE_UNITS)) / 1e9;
  // Recovery counts the tables, storage counts their indexes too: near enough.
  const rows: [string, string, (scale: Scale) => number][] = [
    ['DynamoDB, writes', `${writes.toFixed(2)} units an event`, () => perMillion * writes * PRICES.writeUnits],
    [
      'DynamoDB, reads',
      `${FAILURES * LOOK_UNITS} units an event`,
      () => perMillion * FAILURES * LOOK_UNITS * PRICES.readUnits,
    ],
    ['API Gateway', 'a request a post', (scale) => (perMillion / scale.eventsPerPost) * PRICES.apiRequests],
    ['Lambda, requests', 'one a post', (scale) => (perMillion / scale.eventsPerPost) * PRICES.lambdaRequests],
    [
      'Lambda, time',
      '1 GB, arm64',
      (scale) => (perMillion / scale.eventsPerPost) * scale.postSeconds * PRICES.lambdaGbSeconds,
    ],
    [
      'CloudWatch Logs',
      `${LOG_BYTES_PER_POST} bytes a post`,
      (scale) => ((perMillion / scale.eventsPerPost) * LOG_BYTES_PER_POST * PRICES.logGb) / 1e9,
    ],
    [`storage for ${MONTHS_KEPT} months`, `${gb.toFixed(2)} GB`, () => gb * MONTHS_KEPT * PRICES.storageGbMonth],
    ['point-in-time recovery', `${gb.toFixed(2)} GB`, () => gb * MONTHS_KEPT * PRICES.recoveryGbMonth],
  ];
  const sums = SCALES.map((scale) => rows.reduce((sum, [, , cost]) => sum + cost(scale), 0));
  return markdown(
    ['USD per million events', '', ...SCALES.map(({ eventsPerPost }) => `${eventsPerPost} events a post`)],
    [
      ...rows.map(([what, how, cost]) => [what, how, ...SCALES.map((scale) => cost(scale).toFixed(3))]),
      ['**together**', '', ...sums.map((sum) => `**${sum.toFixed(2)}**`)],
    ],
  );
}

function text(number: number): string {
  return number.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}
