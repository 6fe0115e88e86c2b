/** One sending of an item. */
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
  /** The Message-ID, if a Message-ID was chosen in an earlier attempt. */
  messageId: z.optional(z.string()),
  /** The log row of `messageId` is written. */
  isLogged: z.boolean(),
  /** The item was claimed in an earlier attempt. */
  wasClaimed: z.boolean(),
  /** How often the sending was put into RetryQueue. */
  deferrals: z.number(),
  /** Time of the next attempt; Unix milliseconds. */
  nextAttemptAtMs: z.number(),
  /**
   * The values that earlier attempts wrote into the item's `nextAttemptAt` and `sendingUntil`, or tried to write, that of
   * `nextAttemptAt` first. The sending may go on only if the item still has one of them.
   */
  tickets: z.array(z.string()),
});

/** What stays the same in all attempts of a sending, and what an attempt leaves for the next one. RetryQueue holds it. */
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
