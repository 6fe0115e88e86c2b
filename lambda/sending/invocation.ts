/** What the sender has at hand in one invocation, and how long it may take. */
import type { Provider } from '../mail/provider.ts';
import type { Senders } from '../providers/senders.ts';
import type { readSuppression } from '../recipients/suppression.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { MailTable } from './mail-table.ts';
import type { RetryQueue } from './retry-queue.ts';
import type { SentLog } from './sent-log.ts';

/** Longer than one handover with its log row. */
export const HANDOVER_MS = 35_000;
/** No attempt begins when less of the invocation is left. */
export const RESERVE_MS = HANDOVER_MS + 5_000;
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
  /** Where recipients are looked up; undefined if the setting `suppression` is off. */
  readonly suppressions: Parameters<typeof readSuppression>[0] | undefined;
  /** Of a stream's batch. What comes from RetryQueue is tried in any case. */
  readonly breakers: Readonly<Record<Provider, CircuitBreaker>> | undefined;
  /** Unix milliseconds. */
  readonly endsAtMs: number;
}
