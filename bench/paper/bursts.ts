/**
 * Simulates a large campaign on a new stack, second by second. Plain arithmetic is not enough: refused posts come again, and
 * one limit leads to the next.
 */
import { markdown } from './markdown.ts';

const EVENTS_PER_POST = 100;
const EVENTS_PER_MAIL = 2;
/** Mail servers accept most mails at once. Half of the remaining events arrive in each of these spans. */
const HALF_LIFE_S = 120;

/** Time of one post in a receiver: an environment takes at most ten requests a second (Lambda Developer Guide, "scaling behavior"). */
const QUEUED_S = 0.1;

/** The limits of the stack's API stage (lib/sendgrid-receiver.ts). */
const [STAGE_POSTS_PER_S, STAGE_BURST] = [1_000, 1_000];
/** New environments of a function (Lambda Developer Guide, "scaling behavior"). */
const NEW_ENVIRONMENTS_PER_S = 100;
/** SendGrid repeats for a day, and does not publish when. Assumed: after 1, 2, 4, … minutes, at most an hour. */
const [FIRST_RETRY_S, LONGEST_RETRY_S] = [60, 3_600];
/** From this attempt on, the wait stays the same. */
const MOST_ATTEMPTS = 10;

/** Lambda reads an SQS queue with five invocations, and adds 300 a minute (Lambda Developer Guide, "SQS scaling"). */
const [FIRST_RECORDERS, NEW_RECORDERS_PER_S] = [5, 5];
const POSTS_PER_INVOCATION = 10;
/** Of one recorder: a quarter of a millisecond of CPU time per event, with the 0.58 CPU that 1 GB gets. */
const RECORDER_EVENTS_PER_S = 2_000;

/** A new on-demand table, twice its previous peak every half hour, and the quota (DynamoDB Developer Guide, "On-demand"). */
const [NEW_TABLE_UNITS, DOUBLES_EVERY_S, TABLE_QUOTA_UNITS] = [4_000, 1_800, 40_000];
/** An event is one unit of SentLog. Bounce gets fewer. */
const UNITS_PER_POST = EVENTS_PER_POST;

interface Campaign {
  readonly mails: number;
  /** Lambda's quota for all functions of the account together. */
  readonly accountConcurrency: number;
  /** The recorder's maximum concurrency. */
  readonly recorders: number;
}

/** Counts of answers; peaks of concurrency; seconds until everything is recorded. */
function simulate({ mails, accountConcurrency, recorders }: Campaign) {
  const posts = Math.ceil((mails * EVENTS_PER_MAIL) / EVENTS_PER_POST);
  /** Posts that come again at a second, by the number of earlier attempts. */
  const retries = new Map<number, number[]>();
  const outcome = { accepted: 0, turnedAway: 0, peakReceivers: 0, peakRecorders: 0, seconds: 0 };
  let [arrived, recorded, queued, environments, tokens] = [0, 0, 0, 0, STAGE_BURST];
  let [tableUnits, peakUnits] = [NEW_TABLE_UNITS, 0];

  for (let second = 0; recorded < posts; second++) {
    if (second % DOUBLES_EVERY_S === 0) {
      tableUnits = Math.min(TABLE_QUOTA_UNITS, Math.max(tableUnits, 2 * peakUnits));
      peakUnits = 0;
    }
    // Recorders that wait for the table stay invoked: the table bounds what they record, not how many there are.
    const polled = Math.min(recorders, FIRST_RECORDERS + second * NEW_RECORDERS_PER_S);
    const recording = Math.min(polled, Math.ceil(queued / POSTS_PER_INVOCATION));
    const drained = Math.min(
      queued,
      Math.floor((recording * RECORDER_EVENTS_PER_S) / EVENTS_PER_POST),
      Math.floor(tableUnits / UNITS_PER_POST),
    );
    queued -= drained;
    recorded += drained;
    peakUnits = Math.max(peakUnits, drained * UNITS_PER_POST);

    tokens = Math.min(STAGE_BURST, tokens + STAGE_POSTS_PER_S);
    environments = Math.min(accountConcurrency - recording, environments + NEW_ENVIRONMENTS_PER_S);
    const due = Math.min(posts, Math.round(posts * (1 - 0.5 ** ((second + 1) / HALF_LIFE_S)))) - arrived;
    arrived += due;
    const attempts = [due, ...(retries.get(second) ?? [])];
    retries.delete(second);
    let working = 0;
    for (const [earlier, count] of attempts.entries()) {
      const passed = Math.min(count, tokens);
      tokens -= passed;
      const accepted = Math.max(0, Math.min(passed, Math.floor((environments - working) / QUEUED_S)));
      working += accepted * QUEUED_S;
      queued += accepted;
      comeAgain(retries, second, earlier, count - accepted);
      outcome.accepted += accepted;
      outcome.turnedAway += count - accepted;
    }
    outcome.peakReceivers = Math.max(outcome.peakReceivers, Math.ceil(working));
    outcome.peakRecorders = Math.max(outcome.peakRecorders, recording);
    outcome.seconds = second + 1;
  }
  return outcome;
}

/** Spreads retries over the last quarter of the wait, because not all posts are repeated in the same second. */
function comeAgain(retries: Map<number, number[]>, second: number, earlier: number, count: number): void {
  const wait = Math.min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** earlier);
  const spread = wait / 4;
  const attempt = Math.min(earlier, MOST_ATTEMPTS - 1);
  for (let part = 0, given = 0; given < count; part++) {
    const upTo = Math.round((count * (part + 1)) / spread);
    const at = second + Math.ceil(wait - spread) + part;
    const list = retries.get(at) ?? new Array<number>(MOST_ATTEMPTS).fill(0);
    list[attempt] = (list[attempt] ?? 0) + upTo - given;
    if (upTo > given) retries.set(at, list);
    given = upTo;
  }
}

/** A table for docs/performance.md. */
export function burstsTable(): string {
  const campaigns = [1_000_000, 10_000_000].flatMap((mails) =>
    [1_000, 10].flatMap((accountConcurrency) =>
      [2, 5, 10, 50].map((recorders) => ({ mails, accountConcurrency, recorders })),
    ),
  );
  return markdown(
    [
      'mails',
      'account',
      'maximum concurrency',
      'answered 200',
      'turned away',
      'peak receivers',
      'peak recorders',
      'all recorded after',
    ],
    campaigns.map((campaign) => {
      const { accepted, turnedAway, peakReceivers, peakRecorders, seconds } = simulate(campaign);
      const { mails, accountConcurrency, recorders } = campaign;
      const numbers = [mails, accountConcurrency, recorders, accepted, turnedAway, peakReceivers, peakRecorders];
      return [...numbers.map((number) => number.toLocaleString('en-US')), `${Math.round(seconds / 60)} min`];
    }),
  );
}
