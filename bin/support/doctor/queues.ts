/** Checks: how many messages are in EventQueue and FailureQueue. */
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { counted } from '../../../local/counted.ts';
import { clientSettings } from '../aws.ts';
import type { DoctorContext } from './context.ts';
import { type Check, fix, ok, type Verdict } from './verdict.ts';

/** Up to this many posts are recorded within a second or two. */
const BUSY_MESSAGES = 100;

/** One line per queue. */
export function queueChecks(
  { outputs }: Pick<DoctorContext, 'outputs'>,
  sqs = new SQSClient(clientSettings(outputs, 'AwsApiEndpoint')),
): Check[] {
  const check = (name: string, url: string | undefined, verdictOf: (messages: number) => Verdict): Check => ({
    name,
    look: async () => {
      if (url === undefined) return fix('its URL is not in the outputs: deploy again, with --outputs-file');
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({
          QueueUrl: url,
          AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
        }),
      );
      const messages = Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0);
      return messages === 0 ? ok('empty') : verdictOf(messages);
    },
  });
  return [
    check('EventQueue', outputs.EventQueueUrl, (messages) =>
      messages <= BUSY_MESSAGES
        ? ok(`${counted(messages, 'post')} waiting`)
        : fix(
            `${counted(messages, 'post')} waiting. After a large campaign this is normal for some minutes; if the number does not fall, look at the log of RecordEvents`,
          ),
    ),
    check('FailureQueue', outputs.FailureQueueUrl, (messages) =>
      fix(
        `${counted(messages, 'message')} about work that was given up. docs/operations.md#given-up says what to do with each message. Do not purge the queue: a post in it is stored nowhere else`,
      ),
    ),
  ];
}
