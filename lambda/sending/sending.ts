/** The data of a sending: what its attempts share, and what one attempt leaves for the next. */
import * as z from 'zod/mini';
import type { StreamRecord } from '../aws/stream-record.ts';
import { PROVIDERS, providerOf } from '../mail/provider.ts';

export const sendingSchema = z.object({
  /** The item's `id`. */
  id: z.string(),
  provider: z.enum(PROVIDERS),
  /** `eventID` of the stream record that started the sending. */
  recordId: z.string(),
  /** When the item was put; Unix milliseconds, to the second. */
  putAtMs: z.number(),
  /** The Message-ID, if an earlier attempt chose it. */
  messageId: z.optional(z.string()),
  /** Whether the log row of `messageId` is written. */
  isLogged: z.boolean(),
  /** Whether an earlier attempt claimed the item. */
  wasClaimed: z.boolean(),
  /** How often the sending was put into RetryQueue. */
  deferrals: z.number(),
  /** Time of the next attempt; Unix milliseconds. */
  nextAttemptAtMs: z.number(),
  /**
   * The values that an earlier attempt wrote, or tried to write, into the item: first `nextAttemptAt`, then
   * `sendingUntil`. The sending may go on only if the item has one of them, or if the item still waits and was never
   * claimed.
   */
  tickets: z.array(z.string()),
});

/** A sending. Between attempts it is a message of RetryQueue. */
export type Sending = Readonly<z.infer<typeof sendingSchema>>;

/** The sending that a stream record starts. */
export function newSending({ eventId, writtenAtMs, row }: StreamRecord): Sending {
  return {
    id: String(row['id']),
    provider: providerOf(row),
    recordId: eventId,
    putAtMs: writtenAtMs,
    isLogged: false,
    wasClaimed: false,
    deferrals: 0,
    nextAttemptAtMs: 0,
    tickets: [],
  };
}
