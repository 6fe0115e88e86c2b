/** What the sender has at hand in one invocation, and how long it may take. */

import type { Provider } from '../mail/provider.ts';
import type { Senders } from '../providers/senders.ts';
import type { MailTable } from './mail-table.ts';
import type { Places } from './places.ts';
import type { SentLog } from './sent-log.ts';

/**
 * So long after its record was written a mail waits for a provider that takes none. By far less than the age at which the
 * stream gives records up: whatever waits behind it must be read before that, to become `failed` too.
 */
export const RETRY_FOR_MS = 6 * 3_600_000;
/** What is left of the invocation's time when no further try is begun: longer than one handover with its log row. */
export const RESERVE_MS = 40_000;
/** How long a claim outlives the invocation that made it. */
export const CLAIM_MARGIN_MS = 10_000;

/** One delivery of a batch. */
export interface Invocation {
  readonly mails: MailTable;
  readonly sent: SentLog;
  /** 0 keeps what is done for ever. */
  readonly retentionDays: number;
  readonly senders: Senders;
  /** Each provider's own: one that is slow or down holds up no mail of the other's in this batch. */
  readonly places: Readonly<Record<Provider, Places>>;
  /** Unix milliseconds. */
  readonly endsAtMs: number;
}
