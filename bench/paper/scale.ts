/** The arithmetic of docs/performance.md for a million and for a billion events a day. */
import { DAY_PARTITIONS } from '../../lambda/recording/keys.ts';
import { markdown } from './markdown.ts';

/** Of 100 events: 44 processed, 1 deferred, 42 delivered; 3 failures; 10 opens and clicks. */
const [PROGRESS, FAILURES, MAILS] = [0.87, 0.03, 0.44];
/** Write units, of rows under 1 KB each: a story row with its index; a Bounce row with its two indexes; a log row with its index. */
const [STORY_UNITS, BOUNCE_UNITS, LOG_ROW_UNITS] = [2, 3, 2];
/** For the look-up of a log row of up to 4 KB, eventually consistent. */
const LOOK_UP_UNITS = 0.5;
const PEAK = 10;
const DAY_S = 86_400;

/** Bytes as stored, with DynamoDB's 100 per item: rows of the bench's posts. */
const [STORY_BYTES, BOUNCE_BYTES] = [333 + 100, 744 + 100];
const MONTHS_KEPT = 6;

/** USD, list prices of us-east-1, November 2026. */
const PRICES = {
  writeUnits: 0.625 / 1e6,
  readUnits: 0.125 / 1e6,
  lambdaRequests: 0.2 / 1e6,
  lambdaGbSeconds: 0.0000133334,
  apiRequests: 3.5 / 1e6,
  sqsRequests: 0.4 / 1e6,
  busEvents: 1 / 1e6,
  kmsRequests: 0.03 / 1e4,
  logGb: 0.5,
  storageGbMonth: 0.25,
  recoveryGbMonth: 0.2,
};
/** Per invocation: lines of the function, lines of Lambda, and for a post one line of the access log. */
const LOG_BYTES = 1_000;
/** An assumed time for an invocation of publish-failures, which in most cases puts at most ten events on the bus. */
const PUBLISHING_SECONDS = 0.05;
/** SQS counts a request for every 64 KB of its payload. */
const SQS_CHUNK_KB = 64;
/** In 5 minutes, SQS calls KMS twice for each role that sends, and once for the one that receives (SQS Developer Guide, "Key management"). */
const KMS_REQUESTS_PER_DAY = (DAY_S / 300) * (2 * 2 + 1);

interface Scale {
  readonly eventsPerDay: number;
  /** An assumption: SendGrid puts more events into a post if the account is busier. */
  readonly eventsPerPost: number;
  /** The measured size of a message in EventQueue. */
  readonly messageKb: number;
  readonly postsPerRecording: number;
  readonly receivingSeconds: number;
  readonly recordingSeconds: number;
}

const SMALL = { eventsPerDay: 1e6, eventsPerPost: 10, messageKb: 1.5, postsPerRecording: 1 };
const LARGE = { eventsPerDay: 1e9, eventsPerPost: 100, messageKb: 8.4, postsPerRecording: 10 };
const SCALES: readonly Scale[] = [
  { ...SMALL, receivingSeconds: 0.03, recordingSeconds: 0.05 },
  { ...LARGE, receivingSeconds: 0.03, recordingSeconds: 0.5 },
];

export function scaleTable(): string {
  const rows: [string, (scale: Scale) => number][] = [
    ['events a second, on average', events],
    [`events a second, at the peak (× ${PEAK})`, (scale) => events(scale) * PEAK],
    ['posts a day', (scale) => scale.eventsPerDay / scale.eventsPerPost],
    ['posts a second at the peak', posts],
    ['receivers at a time at the peak', (scale) => posts(scale) * scale.receivingSeconds],
    ['recorders at a time at the peak', (scale) => (posts(scale) / scale.postsPerRecording) * scale.recordingSeconds],
    [
      'SentLog: write units a second at the peak for events, with the index byRecipient',
      (scale) => events(scale) * PEAK * STORY_ROWS * STORY_UNITS,
    ],
    [
      'SentLog: write units a second at the peak for log rows, with the index byDay',
      (scale) => events(scale) * PEAK * MAILS * LOG_ROW_UNITS,
    ],
    [
      'Bounce: write units a second at the peak, with its two indexes',
      (scale) => events(scale) * PEAK * FAILURES * BOUNCE_UNITS,
    ],
    ['failures published a second at the peak', (scale) => events(scale) * PEAK * FAILURES],
    ['read units a second at the peak', (scale) => events(scale) * PEAK * FAILURES * LOOK_UP_UNITS],
    [
      'log rows a second for each partition of SentLog’s byDay',
      (scale) => (events(scale) * PEAK * MAILS) / DAY_PARTITIONS,
    ],
    [
      'failures a second for each partition of Bounce’s byDay',
      (scale) => (events(scale) * PEAK * FAILURES) / DAY_PARTITIONS,
    ],
    ['the same if a third of a campaign bounces', (scale) => (events(scale) * PEAK) / 3 / DAY_PARTITIONS],
  ];
  return markdown(
    ['', ...SCALES.map(({ eventsPerDay }) => `${eventsPerDay.toLocaleString('en-US')} a day`)],
    rows.map(([what, number]) => [what, ...SCALES.map((scale) => text(number(scale)))]),
  );
}

const STORY_ROWS = PROGRESS + FAILURES;
const events = ({ eventsPerDay }: Scale) => eventsPerDay / DAY_S;
const posts = (scale: Scale) => (events(scale) * PEAK) / scale.eventsPerPost;

/** USD per million events. */
export function costTable(): string {
  const writes = STORY_ROWS * STORY_UNITS + FAILURES * BOUNCE_UNITS;
  // Storage counts the indexes, which hold whole rows. Recovery does not count them.
  const stored = (1e6 * (STORY_ROWS * STORY_BYTES * STORY_UNITS + FAILURES * BOUNCE_BYTES * BOUNCE_UNITS)) / 1e9;
  const recovered = (1e6 * (STORY_ROWS * STORY_BYTES + FAILURES * BOUNCE_BYTES)) / 1e9;
  const postsOf = ({ eventsPerPost }: Scale) => 1e6 / eventsPerPost;
  const recordings = (scale: Scale) => postsOf(scale) / scale.postsPerRecording;
  // Each recording with failures is a batch of the stream.
  const publishings = (scale: Scale) => Math.min(recordings(scale), 1e6 * FAILURES);
  const chunks = (kb: number) => Math.ceil(kb / SQS_CHUNK_KB);
  const rows: [string, string, (scale: Scale) => number][] = [
    ['DynamoDB, writes', `${writes.toFixed(2)} units an event`, () => 1e6 * writes * PRICES.writeUnits],
    [
      'DynamoDB, reads',
      `${FAILURES * LOOK_UP_UNITS} units an event`,
      () => 1e6 * FAILURES * LOOK_UP_UNITS * PRICES.readUnits,
    ],
    ['API Gateway', 'one request per post', (scale) => postsOf(scale) * PRICES.apiRequests],
    [
      'SQS',
      'per post a send, per recording a receive and a delete, per 64 KB',
      (scale) =>
        (postsOf(scale) * chunks(scale.messageKb) +
          recordings(scale) * (chunks(scale.messageKb * scale.postsPerRecording) + 1)) *
        PRICES.sqsRequests,
    ],
    [
      'KMS, for SQS',
      `at most ${KMS_REQUESTS_PER_DAY.toLocaleString('en-US')} requests a day`,
      ({ eventsPerDay }) => (KMS_REQUESTS_PER_DAY / eventsPerDay) * 1e6 * PRICES.kmsRequests,
    ],
    [
      'Lambda, requests',
      'one per post, one per recording',
      (scale) => (postsOf(scale) + recordings(scale)) * PRICES.lambdaRequests,
    ],
    [
      'Lambda, time',
      '1 GB, arm64',
      (scale) =>
        (postsOf(scale) * scale.receivingSeconds + recordings(scale) * scale.recordingSeconds) * PRICES.lambdaGbSeconds,
    ],
    [
      'CloudWatch Logs',
      `${LOG_BYTES.toLocaleString('en-US')} bytes per post and per recording`,
      (scale) => ((postsOf(scale) + recordings(scale)) * LOG_BYTES * PRICES.logGb) / 1e9,
    ],
    ['EventBridge', 'one event per failure', () => 1e6 * FAILURES * PRICES.busEvents],
    [
      'publishing: Lambda and its logs',
      'one invocation per recording with failures',
      (scale) =>
        publishings(scale) *
        (PRICES.lambdaRequests + PUBLISHING_SECONDS * PRICES.lambdaGbSeconds + (LOG_BYTES * PRICES.logGb) / 1e9),
    ],
    [
      `storage for ${MONTHS_KEPT} months`,
      `${stored.toFixed(2)} GB, with the indexes`,
      () => stored * MONTHS_KEPT * PRICES.storageGbMonth,
    ],
    ['point-in-time recovery', `${recovered.toFixed(2)} GB`, () => recovered * MONTHS_KEPT * PRICES.recoveryGbMonth],
  ];
  const sums = SCALES.map((scale) => rows.reduce((sum, [, , cost]) => sum + cost(scale), 0));
  return markdown(
    ['USD per million events', '', ...SCALES.map(({ eventsPerPost }) => `${eventsPerPost} events per post`)],
    [
      ...rows.map(([what, how, cost]) => [what, how, ...SCALES.map((scale) => cost(scale).toFixed(3))]),
      ['**together**', '', ...sums.map((sum) => `**${sum.toFixed(2)}**`)],
    ],
  );
}

function text(number: number): string {
  return number.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}
