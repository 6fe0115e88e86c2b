/** Answers SQS's calls on the local queues. */
import * as z from 'zod';
import type { Authorize } from '../access.ts';
import { type LocalQueue, md5OfBody } from '../event-sources/queue.ts';
import { AwsApiError, type AwsCall } from './aws-api.ts';

const getQueueAttributes = z.object({ QueueUrl: z.string(), AttributeNames: z.array(z.string()).default([]) });
const sendMessage = z.strictObject({
  QueueUrl: z.string(),
  MessageBody: z.string(),
  DelaySeconds: z.number().optional(),
});

const MAX_DELAY_SECONDS = 900;

/**
 * The calls SendMessage and GetQueueAttributes, which functions and commands make.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
export function sqsCalls(queues: readonly LocalQueue[], authorize: Authorize): Record<string, AwsCall> {
  const queueAt = (url: string): LocalQueue => {
    const queue = queues.find(({ name }) => name === url.split('/').at(-1));
    if (queue === undefined) throw new AwsApiError('QueueDoesNotExist', `There is no queue ${url}`);
    return queue;
  };
  return {
    async 'AmazonSQS.GetQueueAttributes'(input, caller) {
      const { QueueUrl, AttributeNames } = getQueueAttributes.parse(input);
      const queue = queueAt(QueueUrl);
      await authorize(caller, 'sqs:GetQueueAttributes', queue.arn);
      const { visible, inFlight, delayed } = queue.counts();
      const all = {
        ApproximateNumberOfMessages: String(visible),
        ApproximateNumberOfMessagesNotVisible: String(inFlight),
        ApproximateNumberOfMessagesDelayed: String(delayed),
        QueueArn: queue.arn,
      };
      const wanted = ([name]: [string, string]) => AttributeNames.includes('All') || AttributeNames.includes(name);
      return { Attributes: Object.fromEntries(Object.entries(all).filter(wanted)) };
    },

    async 'AmazonSQS.SendMessage'(input, caller) {
      const { QueueUrl, MessageBody, DelaySeconds } = sendMessage.parse(input);
      const queue = queueAt(QueueUrl);
      await authorize(caller, 'sqs:SendMessage', queue.arn);
      assertSize(MessageBody, queue.maxMessageBytes);
      assertDelay(DelaySeconds);
      const delayMs = DelaySeconds === undefined ? undefined : DelaySeconds * 1000;
      const { messageId } = await queue.send(MessageBody, { delayMs });
      return { MessageId: messageId, MD5OfMessageBody: md5OfBody(MessageBody) };
    },
  };
}

function assertSize(body: string, maxBytes: number): void {
  if (body === '') throw new AwsApiError('MissingParameter', 'The message is empty');
  const bytes = Buffer.byteLength(body);
  if (bytes > maxBytes) throw new AwsApiError('InvalidParameterValue', `${bytes} bytes are more than ${maxBytes}`);
}

/** @throws AwsApiError in SQS's own words */
function assertDelay(seconds = 0): void {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_DELAY_SECONDS) return;
  throw new AwsApiError(
    'InvalidParameterValue',
    `Value ${seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= ${MAX_DELAY_SECONDS}.`,
  );
}
