/** The SQS client. */
import { SendMessageCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { CLIENT_SETTINGS } from './clients.ts';

export function sqsClient(settings: SQSClientConfig = {}): SQSClient {
  return new SQSClient({ ...CLIENT_SETTINGS, ...settings });
}

/**
 * Resolves when SQS has stored the message.
 *
 * @param signal ends the call, with its reason or the SDK's AbortError
 * @throws whatever the SDK throws after its own retries
 */
export async function sendMessage(
  client: SQSClient,
  queueUrl: string,
  body: string,
  signal: AbortSignal,
): Promise<void> {
  await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }), { abortSignal: signal });
}
