/** Makes an attempt of each sending of a batch, of the stream or of RetryQueue. */
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import { errorFields, log } from '../aws/log.ts';
import { PROVIDERS } from '../mail/provider.ts';
import type { Invocation } from './invocation.ts';
import { sendItem } from './send-item.ts';
import type { Sending } from './sending.ts';

/** A sending, and the sequence number of its record or the id of its message. */
export interface Delivery {
  readonly itemIdentifier: string;
  readonly sending: Sending;
}

/**
 * Makes an attempt of each sending, of all providers in parallel. Each sender limits its own with `handoversAtOneTime`.
 *
 * @returns the identifiers of the deliveries that Lambda must repeat
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
