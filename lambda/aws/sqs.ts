/** The SQS client. */
import { SendMessageCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { CLIENT_SETTINGS } from './clients.ts';

export function sqsClient(settings: SQSClientConfig = {}): SQSClient {
  return new SQSClient({ ...CLIENT_SETTINGS, ...settings });
}

/**
 * Resolves when SQS has stored the message.
 *
 * @param options.signal ends the call, with its reason or the SDK's AbortError
 * @param options.delaySeconds before which it is not received, 0 to 900; 0 if left out
 * @throws whatever the SDK throws after its own retries
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
