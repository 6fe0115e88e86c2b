/** The dependencies and time limits of one invocation of send-mail. */
import type { Provider } from '../mail/provider.ts';
import type { Senders } from '../providers/senders.ts';
import type { readSuppression } from '../recipients/read-suppression.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { MailTable } from './mail-table.ts';
import type { RetryQueue } from './retry-queue.ts';
import type { SentLog } from './sent-log.ts';

/** More time than one handover takes with its log row. */
export const HANDOVER_MS = 35_000;
/** No attempt begins if less time of the invocation is left. */
export const RESERVE_MS = HANDOVER_MS + 5_000;
/** A claim lapses this long after the end of the invocation that made it. */
export const CLAIM_MARGIN_MS = 10_000;

/** The invocation for one batch, of the stream or of RetryQueue. */
export interface Invocation {
  readonly mails: MailTable;
  readonly sent: SentLog;
  readonly retries: RetryQueue;
  /** 0 keeps finished items forever. */
  readonly retentionDays: number;
  readonly senders: Senders;
  /** Where recipients are looked up; undefined if the setting `suppression` is off. */
  readonly suppressions: Parameters<typeof readSuppression>[0] | undefined;
  /** Undefined for a batch of RetryQueue, whose sendings are always tried. */
  readonly breakers: Readonly<Record<Provider, CircuitBreaker>> | undefined;
  /** When the invocation has to end; Unix milliseconds. */
  readonly endsAtMs: number;
}
