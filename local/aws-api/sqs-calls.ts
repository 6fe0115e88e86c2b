import * as z from 'zod';
import type { Authorize } from '../access.ts';
import { type LocalQueue, md5OfBody } from '../event-sources/queue.ts';
import { messageOf } from '../files.ts';
import { AwsApiError, type AwsCall } from './aws-api.ts';

/** For one message, and for all of a batch: 1 MiB. */
const MAX_BYTES = 1_048_576;
const MAX_BATCH_ENTRIES = 10;

const getQueueAttributes = z.object({ QueueUrl: z.string(), AttributeNames: z.array(z.string()).default([]) });
const sendMessage = z.strictObject({ QueueUrl: z.string(), MessageBody: z.string() });
const sendMessageBatch = z.strictObject({
  QueueUrl: z.string(),
  Entries: z.array(z.strictObject({ Id: z.string(), MessageBody: z.string() })),
});

/**
 * SQS's calls that put messages in, and the one that counts them.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
export function sqsCalls(queues: readonly LocalQueue[], authorize: Authorize): Record<string, AwsCall> {
  const queueAt = (url: string): LocalQueue => {
    const queue = queues.find(({ name }) => name === url.split('/').at(-1));
    if (queue === undefined) throw new AwsApiError('QueueDoesNotExist', `There is no queue ${url}`);
    return queue;
  };
  const send = async (queue: LocalQueue, body: string) => {
    const { messageId } = await queue.send(body);
    return { MessageId: messageId, MD5OfMessageBody: md5OfBody(body) };
  };
  return {
    async 'AmazonSQS.GetQueueAttributes'(input, caller) {
      const { QueueUrl, AttributeNames } = getQueueAttributes.parse(input);
      const queue = queueAt(QueueUrl);
      await authorize(caller, 'sqs:GetQueueAttributes', queue.arn);
      const inFlight = queue.inFlight();
      const all = {
        ApproximateNumberOfMessages: String(queue.messages().length - inFlight),
        ApproximateNumberOfMessagesNotVisible: String(inFlight),
        QueueArn: queue.arn,
      };
      const wanted = ([name]: [string, string]) => AttributeNames.includes('All') || AttributeNames.includes(name);
      return { Attributes: Object.fromEntries(Object.entries(all).filter(wanted)) };
    },

    async 'AmazonSQS.SendMessage'(input, caller) {
      const { QueueUrl, MessageBody } = sendMessage.parse(input);
      const queue = queueAt(QueueUrl);
      await authorize(caller, 'sqs:SendMessage', queue.arn);
      assertSize(MessageBody, 'InvalidParameterValue');
      return send(queue, MessageBody);
    },

    async 'AmazonSQS.SendMessageBatch'(input, caller) {
      const { QueueUrl, Entries } = sendMessageBatch.parse(input);
      const queue = queueAt(QueueUrl);
      await authorize(caller, 'sqs:SendMessage', queue.arn);
      if (Entries.length === 0) throw new AwsApiError('EmptyBatchRequest', 'There are no entries');
      if (Entries.length > MAX_BATCH_ENTRIES) {
        throw new AwsApiError('TooManyEntriesInBatchRequest', `More than ${MAX_BATCH_ENTRIES} entries`);
      }
      if (new Set(Entries.map(({ Id }) => Id)).size < Entries.length) {
        throw new AwsApiError('BatchEntryIdsNotDistinct', 'Two entries have the same id');
      }
      assertSize(Entries.map(({ MessageBody }) => MessageBody).join(''), 'BatchRequestTooLong');
      const results = await Promise.all(
        Entries.map(({ Id, MessageBody }) =>
          send(queue, MessageBody).then(
            (sent) => ({ sent: { Id, ...sent } }),
            (error: unknown) => ({
              failed: { Id, Code: 'InternalError', SenderFault: false, Message: messageOf(error) },
            }),
          ),
        ),
      );
      return {
        Successful: results.flatMap((result) => ('sent' in result ? [result.sent] : [])),
        Failed: results.flatMap((result) => ('failed' in result ? [result.failed] : [])),
      };
    },
  };
}

function assertSize(body: string, code: string): void {
  if (body === '') throw new AwsApiError('MissingParameter', 'The message is empty');
  const bytes = Buffer.byteLength(body);
  if (bytes > MAX_BYTES) throw new AwsApiError(code, `${bytes} bytes are more than ${MAX_BYTES}`);
}
