/** What the sender has at hand in one invocation, and how long it may take. */
import type { Provider } from '../mail/provider.ts';
import type { Senders } from '../providers/senders.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { MailTable } from './mail-table.ts';
import type { RetryQueue } from './retry-queue.ts';
import type { SentLog } from './sent-log.ts';

/** No attempt begins when less of the invocation is left: longer than one handover with its log row. */
export const RESERVE_MS = 40_000;
/** How long a claim outlives the invocation that made it. */
export const CLAIM_MARGIN_MS = 10_000;

/** One batch, of the stream or of RetryQueue. */
export interface Invocation {
  readonly mails: MailTable;
  readonly sent: SentLog;
  readonly retries: RetryQueue;
  /** 0 keeps finished items for ever. */
  readonly retentionDays: number;
  readonly senders: Senders;
  /** Of a stream's batch. What comes from RetryQueue is tried in any case. */
  readonly breakers: Readonly<Record<Provider, CircuitBreaker>> | undefined;
  /** Unix milliseconds. */
  readonly endsAtMs: number;
}
