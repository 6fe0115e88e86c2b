/** send-mail at work, with a clock that the tests of a file move. */
import { beforeAll, beforeEach, onTestFinished, vi } from 'vitest';
import { senderAtWork } from './sender-at-work.ts';
import { recordOf } from './sender-servers.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

/** Starts the sender before the tests of a file. Before each test everything works again, and five minutes have passed. */
export function senderWithClock() {
  let sender: Awaited<ReturnType<typeof senderAtWork>> | undefined;
  /** How far ahead the clock of the tests is. */
  let aheadMs = 0;
  const at = () => {
    if (!sender) throw new Error('The sender runs only while the tests do');
    return sender;
  };
  beforeAll(async () => {
    sender = await senderAtWork();
  });
  beforeEach(async () => {
    at().api.answer = () => undefined;
    at().proxy.plan = () => undefined;
    at().secret.isReadable = true;
    await at().retries.reset();
    // Longer than the sender remembers what one test taught it about a provider or secret.
    aheadMs += 5 * MINUTE_MS;
    const { now } = Date;
    const spy = vi.spyOn(Date, 'now').mockImplementation(() => now() + aheadMs);
    onTestFinished(() => spy.mockRestore());
  });

  const clock = {
    advance(ms: number) {
      aheadMs += ms;
    },
    /** Moves the clock to the last planned attempt, and makes the attempt. */
    async nextAttempt() {
      const planned = at().retries.put.at(-1)?.nextAttemptAtMs ?? 0;
      // SQS delays by whole seconds, up to 15 minutes. On a busy machine the message may be put seconds after its time was planned.
      const waitMs = Math.min(planned - Date.now() + 10_000, 15 * MINUTE_MS);
      if (waitMs > 0) aheadMs += waitMs;
      await at().deliverRetries();
    },
    /** Lets time pass in steps, and delivers after each step what is due. */
    async pass(ms: number, stepMs: number) {
      for (let passed = 0; passed < ms; passed += stepMs) {
        aheadMs += stepMs;
        await at().deliverRetries();
      }
    },
  };

  let count = 0;
  const unique = (name: string) => `${name}-${++count}`;
  const letter = (id: string, change: object = {}) => ({
    id,
    from: 'shop@example.com',
    to: `${id}@example.jp`,
    subject: 'S',
    content: 'C',
    ...change,
  });
  const logRowsOf = async (id: string) => (await at().sentLog()).filter((row) => row['mailId'] === id);
  return {
    at,
    clock,
    /** An id that no other item of the file has. */
    unique,
    /** An item to a recipient that only it has. */
    letter,
    /** Puts an item, and gives the record of the stream. */
    async waiting(name: string, change: object = {}) {
      const item = letter(unique(name), change);
      await at().put(item);
      return { id: item.id, record: recordOf(item) };
    },
    /** How often SendGrid took the item's mail. */
    mailsTo: (id: string) => at().handedOver.filter((to) => to === `${id}@example.jp`).length,
    logRowsOf,
    /** The events of the item's mail. */
    async storyOf(id: string) {
      const [log] = await logRowsOf(id);
      return (await at().sentLog()).filter((row) => row['messageId'] === log?.['messageId'] && row['state']);
    },
    bouncesOf: async (id: string) => (await at().bounces()).filter((row) => row['mailId'] === id),
  };
}
