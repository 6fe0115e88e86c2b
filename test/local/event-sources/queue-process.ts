/**
 * Runs a queue with its API and a mapping in its own process, for tests that kill it. Argument: the queue's folder.
 *
 * Prints the API's origin, and then a line for each message that its function has processed. The function reports
 * messages that start with `fail` as failed.
 */
import * as z from 'zod';
import { ALLOW_ALL } from '../../../local/access.ts';
import { startAwsApi } from '../../../local/aws-api/aws-api.ts';
import { sqsCalls } from '../../../local/aws-api/sqs-calls.ts';
import { mappingProperties } from '../../../local/event-sources/mapping-settings.ts';
import { LocalQueue } from '../../../local/event-sources/queue.ts';
import { runQueueMapping } from '../../../local/event-sources/queue-mapping.ts';

const [dir = ''] = process.argv.slice(2);
const arn = 'arn:aws:sqs:ap-northeast-1:000000000000:EventQueue';
const queue = await LocalQueue.open({ name: 'EventQueue', arn, dir, visibilityTimeoutMs: 360_000 });
const api = await startAwsApi();
api.answer(sqsCalls([queue], ALLOW_ALL));
console.log(api.origin);

const event = z.object({ Records: z.array(z.object({ messageId: z.string(), body: z.string() })) });
await runQueueMapping({
  queue,
  properties: mappingProperties.parse({
    EventSourceArn: arn,
    FunctionName: 'RecordEvents',
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  }),
  target: {
    logicalId: 'RecordEvents',
    arn: 'arn:aws:lambda:ap-northeast-1:000000000000:function:RecordEvents',
    async invoke(payload) {
      const batchItemFailures: { itemIdentifier: string }[] = [];
      for (const { messageId, body } of event.parse(payload).Records) {
        if (body.startsWith('fail')) batchItemFailures.push({ itemIdentifier: messageId });
        else console.log(messageId);
      }
      return { requestId: 'request', payload: { batchItemFailures } };
    },
  },
  region: 'ap-northeast-1',
  authorize: async () => undefined,
  signal: new AbortController().signal,
  report: (line) => console.error(line),
});
