/** Puts sendings into RetryQueue, where they wait for their next attempt, and reads them. */
import { sendMessage, sqsClient } from '../aws/sqs.ts';
import { type Sending, sendingSchema } from './sending.ts';

/** The longest delay that SQS offers. A sending that must wait longer is put again after it. */
const MAX_DELAY_SECONDS = 900;
const PUT_TIMEOUT_MS = 8_000;

export interface RetryQueue {
  /**
   * Resolves when SQS has stored the sending. SQS delivers it at `nextAttemptAtMs`, or after 15 minutes if that is
   * earlier.
   *
   * @throws the error of the SDK, after its own retries
   */
  put(sending: Sending): Promise<void>;
}

export function retryQueue(queueUrl: string, client = sqsClient()): RetryQueue {
  return {
    async put(sending) {
      const waitSeconds = Math.ceil((sending.nextAttemptAtMs - Date.now()) / 1000);
      await sendMessage(client, queueUrl, JSON.stringify(sending), {
        signal: AbortSignal.timeout(PUT_TIMEOUT_MS),
        delaySeconds: Math.min(MAX_DELAY_SECONDS, Math.max(0, waitSeconds)),
      });
    },
  };
}

/**
 * Reads the body of a message of RetryQueue.
 *
 * @throws Error if it is not a sending
 */
export const readSending = (body: string): Sending => sendingSchema.parse(JSON.parse(body));
