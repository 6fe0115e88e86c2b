/** Processes a batch of messages of EventQueue: records them together or, if that fails, one by one. */
import type { SQSBatchResponse, SQSRecord } from 'aws-lambda';
import { errorFields, log } from '../aws/log.ts';
import { metricFields } from '../aws/metric.ts';
import type { MailEvent } from '../mail/event.ts';
import { PROVIDERS, type Provider } from '../mail/provider.ts';
import { PROVIDER_EVENTS } from '../providers/events.ts';
import { readQueueMessage } from '../webhooks/event-queue.ts';
import { eventCounts, kindCounts } from './event-counts.ts';
import type { EventStore } from './event-store.ts';
import { recordEvents } from './record-events.ts';

export interface RecorderOptions {
  readonly store: EventStore;
  /** 0 keeps rows forever. */
  readonly retentionDays: number;
  /** The time zone of Customers Mail Cloud's times; an IANA name. */
  readonly timeZone: string;
  /** When the invocation has to end; Unix milliseconds. */
  readonly endsAtMs: number;
}

/** The content of a message: a post or a part of one, with its events normalized. */
interface Post {
  readonly messageId: string;
  readonly provider: Provider;
  readonly receivedAtMs: number;
  readonly events: readonly MailEvent[];
  readonly jsonBytes: number;
}

/** Time that is left at the end of the invocation, to report the messages that failed. */
const REPORT_MS = 2_000;

/** Limit for the posts that are recorded together. Ten of SendGrid's largest posts have half of it. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;

/**
 * Records the posts in these messages: first together and, if that fails, one after the other, so that a message that
 * cannot be recorded does not keep the others from being recorded.
 *
 * @returns the messages whose rows are not all written: SQS delivers them again
 */
export async function recordMessages(
  records: readonly Pick<SQSRecord, 'messageId' | 'body'>[],
  options: RecorderOptions,
): Promise<SQSBatchResponse> {
  const failed: string[] = [];
  let group: Post[] = [];
  const recordGroup = async () => {
    failed.push(...(await recordPosts(group, options)));
    group = [];
  };
  for (const record of records) {
    try {
      group.push(readPost(record, options.timeZone));
    } catch (error) {
      logFailure('Cannot read a message of EventQueue: it stays in the queue', record.messageId, error);
      failed.push(record.messageId);
    }
    if (group.reduce((sum, { jsonBytes }) => sum + jsonBytes, 0) > MAX_JSON_BYTES) await recordGroup();
  }
  await recordGroup();
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

function readPost({ messageId, body }: Pick<SQSRecord, 'messageId' | 'body'>, timeZone: string): Post {
  const { provider, receivedAtMs, events, jsonBytes } = readQueueMessage(body);
  const { normalize } = PROVIDER_EVENTS[provider];
  return { messageId, provider, receivedAtMs, jsonBytes, events: events.map((event) => normalize(event, timeZone)) };
}

/** @returns the messages that failed */
async function recordPosts(posts: readonly Post[], options: RecorderOptions): Promise<string[]> {
  // Whole milliseconds, because AbortSignal.timeout refuses fractions.
  const shareOfTimeMs = (share: number) => Math.floor(Math.max(0, options.endsAtMs - REPORT_MS - Date.now()) * share);
  try {
    await record(posts, shareOfTimeMs(1 / 2), options);
    return [];
  } catch (error) {
    log('warn', 'Cannot record the posts together: each is recorded alone', {
      posts: posts.length,
      ...errorFields(error),
    });
  }
  const failed: string[] = [];
  for (const [index, post] of posts.entries()) {
    try {
      // Almost twice an equal share of the remaining time, because most posts need less than a share.
      await record([post], shareOfTimeMs(2 / (posts.length - index + 1)), options);
    } catch (error) {
      logFailure('Cannot record a post: it stays in the queue', post.messageId, error, post.provider);
      failed.push(post.messageId);
    }
  }
  return failed;
}

/** Records posts, and logs one line per provider, which is also its metrics. */
async function record(posts: readonly Post[], timeMs: number, { store, retentionDays }: RecorderOptions) {
  const startedAtMs = Date.now();
  const unmatched = await recordEvents(posts, retentionDays, store, AbortSignal.timeout(timeMs));
  for (const provider of PROVIDERS) {
    const own = posts.filter((post) => post.provider === provider);
    if (own.length === 0) continue;
    const events = own.flatMap((post) => post.events);
    const ownUnmatched = unmatched.filter((event) => event.provider === provider).length;
    log('info', 'recorded', {
      provider,
      posts: own.length,
      ...kindCounts(events),
      unmatched: ownUnmatched,
      durationMs: Date.now() - startedAtMs,
      ...metricFields(provider, eventCounts(events, ownUnmatched)),
    });
  }
}

/**
 * If a message cannot be read, its provider is unknown, and it counts as the first one's. The alarm sums all providers.
 */
function logFailure(message: string, messageId: string, error: unknown, provider: Provider = PROVIDERS[0]): void {
  log('error', message, { messageId, ...errorFields(error), ...metricFields(provider, { Unrecorded: 1 }) });
}
