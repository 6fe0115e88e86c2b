/** The SQS client, and how a message is sent. */
import { SendMessageCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { CLIENT_SETTINGS } from './clients.ts';

export function sqsClient(settings: SQSClientConfig = {}): SQSClient {
  return new SQSClient({ ...CLIENT_SETTINGS, ...settings });
}

/**
 * Sends a message. Resolves when SQS has stored it.
 *
 * @param options.signal aborts the call, which then throws the signal's reason or the SDK's AbortError
 * @param options.delaySeconds how long SQS holds the message back, 0 to 900; 0 if left out
 * @throws the error of the SDK, after its own retries
 */
export async function sendMessage(
  client: SQSClient,
  queueUrl: string,
  body: string,
  { signal, delaySeconds }: { readonly signal: AbortSignal; readonly delaySeconds?: number },
): Promise<void> {
  const command = new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body, DelaySeconds: delaySeconds });
  await client.send(command, { abortSignal: signal });
}
