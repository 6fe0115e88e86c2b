/**
 * What a campaign does to a new stack, second by second. Arithmetic is not enough here: a post that the tables throttle
 * holds its place until the receiver gives up, so one limit brings on the next, and what was refused comes again.
 */
import { markdown } from './markdown.ts';

const EVENTS_PER_POST = 100;
const EVENTS_PER_MAIL = 2;
/** A mail server takes most mails at once; half of the events that are still to come arrive in each of these spans. */
const HALF_LIFE_S = 120;
const UNITS_PER_EVENT = 1;
/** A post that is recorded, and one that is given up (lambda/aws/webhook.ts). */
const [RECORDED_S, GIVEN_UP_S] = [0.2, 7];
/** What the stage of the stack's API lets through, and Lambda's default quotas. */
const [STAGE_POSTS_PER_S, STAGE_BURST] = [1_000, 2_000];
const [CONCURRENCY, NEW_PER_10_S] = [1_000, 1_000];
/** SendGrid tries for a day and does not publish when: taken as after 1, 2, 4, … minutes, at most an hour. */
const [FIRST_RETRY_S, LONGEST_RETRY_S] = [60, 3_600];
/** From then on the wait is the longest anyway. */
const MOST_TRIES = 10;

interface Burst {
  readonly mails: number;
  /** Write units a second that the SentLog table takes without throttling; 4,000 when it is new. */
  readonly tableUnits: number;
}

interface BurstOutcome {
  readonly posts: number;
  readonly peakPostsPerS: number;
  readonly peakConcurrency: number;
  /** Answers of 429 by the API's stage or for lack of concurrency, and of 503 for the tables. */
  readonly refused429: number;
  readonly refused503: number;
  /** Until everything is recorded. */
  readonly seconds: number;
}

function simulateBurst({ mails, tableUnits }: Burst): BurstOutcome {
  const posts = Math.ceil((mails * EVENTS_PER_MAIL) / EVENTS_PER_POST);
  /** Posts that come again at a second, by how often they were tried. */
  const retries = new Map<number, number[]>();
  /** Places that become free at a second. */
  const held: number[] = [];
  const outcome = { posts, peakPostsPerS: 0, peakConcurrency: 0, refused429: 0, refused503: 0, seconds: 0 };
  let [arrived, recorded, busy, environments, tokens] = [0, 0, 0, 0, STAGE_BURST];

  for (let second = 0; recorded < posts; second++) {
    busy -= held[second] ?? 0;
    const dueInAll = Math.round(posts * (1 - 0.5 ** ((second + 1) / HALF_LIFE_S)));
    const due = Math.min(posts, dueInAll) - arrived;
    arrived += due;
    const tries = [due, ...(retries.get(second) ?? [])];
    retries.delete(second);
    tokens = Math.min(STAGE_BURST, tokens + STAGE_POSTS_PER_S);
    environments = Math.min(CONCURRENCY, Math.max(environments, busy) + NEW_PER_10_S / 10);
    let units = tableUnits;
    let working = 0;
    outcome.peakPostsPerS = Math.max(
      outcome.peakPostsPerS,
      tries.reduce((sum, count) => sum + count, 0),
    );
    for (const [tried, count] of tries.entries()) {
      const passed = Math.min(count, tokens);
      tokens -= passed;
      const places = Math.floor((environments - busy - working) / RECORDED_S);
      const begun = Math.max(0, Math.min(passed, places));
      const done = Math.min(begun, Math.floor(units / (EVENTS_PER_POST * UNITS_PER_EVENT)));
      units -= done * EVENTS_PER_POST * UNITS_PER_EVENT;
      recorded += done;
      working += done * RECORDED_S;
      const throttled = Math.max(0, Math.min(begun - done, Math.floor(environments - busy - working)));
      busy += throttled;
      held[second + GIVEN_UP_S] = (held[second + GIVEN_UP_S] ?? 0) + throttled;
      outcome.refused503 += throttled;
      outcome.refused429 += count - done - throttled;
      comeAgain(retries, second, tried, count - done - throttled, 0);
      comeAgain(retries, second, tried, throttled, GIVEN_UP_S);
    }
    outcome.peakConcurrency = Math.max(outcome.peakConcurrency, Math.ceil(busy + working));
    outcome.seconds = second + 1;
  }
  return outcome;
}

/** Spread over the wait's last quarter: senders do not all come again in the same second. */
function comeAgain(retries: Map<number, number[]>, second: number, tried: number, count: number, after: number): void {
  const wait = Math.min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** tried);
  const spread = wait / 4;
  const known = Math.min(tried, MOST_TRIES - 1);
  for (let part = 0, given = 0; given < count; part++) {
    const upTo = Math.round((count * (part + 1)) / spread);
    const at = second + after + Math.ceil(wait - spread) + part;
    const list = retries.get(at) ?? new Array<number>(MOST_TRIES).fill(0);
    list[known] = (list[known] ?? 0) + upTo - given;
    if (upTo > given) retries.set(at, list);
    given = upTo;
  }
}

/** The simulation's outcomes for docs/performance.md. */
export function burstsTable(): string {
  const bursts = [100_000, 1_000_000, 10_000_000].flatMap((mails) =>
    [4_000, 40_000].map((tableUnits) => ({ mails, tableUnits })),
  );
  return markdown(
    [
      'mails',
      'units a second that SentLog takes',
      'posts',
      'peak posts a second',
      'peak concurrency',
      '429',
      '503',
      'all recorded after',
    ],
    bursts.map((burst) => {
      const outcome = simulateBurst(burst);
      const { posts, peakPostsPerS, peakConcurrency, refused429, refused503, seconds } = outcome;
      const numbers = [burst.mails, burst.tableUnits, posts, peakPostsPerS, peakConcurrency, refused429, refused503];
      return [...numbers.map((number) => number.toLocaleString('en-US')), `${(seconds / 60).toFixed(0)} min`];
    }),
  );
}
