/** Checks: the queues. */
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { clientSettings } from '../aws.ts';
import { counted } from '../talk.ts';
import type { Patient } from './patient.ts';
import { type Check, mend, ok } from './verdict.ts';

/** A line for each queue: both are empty on a good day. */
export function queueChecks({ outputs }: Patient): Check[] {
  const sqs = new SQSClient(clientSettings(outputs, 'AwsApiEndpoint'));
  const check = (name: string, url: string | undefined, whatToDo: string): Check => ({
    name,
    look: async () => {
      if (url === undefined) return mend('its address is not in the outputs: deploy again, with --outputs-file');
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({
          QueueUrl: url,
          AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
        }),
      );
      const messages = Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0);
      return messages === 0 ? ok('empty') : mend(`${counted(messages, 'message')}: ${whatToDo}`);
    },
  });
  return [
    check(
      'SpillQueue',
      outputs.SpillQueueUrl,
      'posts wait for storage and are tried every six minutes; if they do not go away, look at the log of RecordSpilledPosts',
    ),
    check(
      'FailureQueue',
      outputs.FailureQueueUrl,
      'work was given up. docs/operations.md#given-up says what to do with each message. Do not purge the queue: a post of Customers Mail Cloud in it is nowhere else',
    ),
  ];
}
