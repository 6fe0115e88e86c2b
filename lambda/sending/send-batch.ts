/** A batch of sendings, of the stream or of RetryQueue. */
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import { errorFields, log } from '../aws/log.ts';
import { PROVIDERS } from '../mail/provider.ts';
import type { Invocation } from './invocation.ts';
import { sendItem } from './send-item.ts';
import type { Sending } from './sending.ts';

/** A sending, and the number or id by which Lambda knows its record or message. */
export interface Delivery {
  readonly itemIdentifier: string;
  readonly sending: Sending;
}

/**
 * Makes an attempt of each sending: all providers side by side, so many of each at one time as its sender takes.
 *
 * @returns what must be delivered again
 */
export async function sendBatch(deliveries: readonly Delivery[], invocation: Invocation): Promise<string[]> {
  const failed: string[] = [];
  await Promise.all(
    PROVIDERS.map((provider) =>
      forEachConcurrently(
        deliveries.filter(({ sending }) => sending.provider === provider),
        async ({ itemIdentifier, sending }) => {
          try {
            await sendItem(sending, invocation);
          } catch (error) {
            log('error', 'Cannot put an item into RetryQueue: it will be delivered again', {
              mailId: sending.id,
              ...errorFields(error),
            });
            failed.push(itemIdentifier);
          }
        },
        invocation.senders[provider].handoversAtOneTime,
      ),
    ),
  );
  return failed;
}
