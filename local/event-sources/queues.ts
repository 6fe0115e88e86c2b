/** Opens the template's queues. */
import * as z from 'zod';
import type { DataFolder } from '../data-folder.ts';
import type { ResolvedTemplate } from '../stack/template.ts';
import { LocalQueue, MAX_MESSAGE_BYTES } from './queue.ts';

const queueProperties = z.object({
  FifoQueue: z.literal(false).optional(),
  RedrivePolicy: z.object({ deadLetterTargetArn: z.string(), maxReceiveCount: z.number().int().positive() }).optional(),
  /** Seconds. */
  DelaySeconds: z.number().default(0),
  /** Bytes. */
  MaximumMessageSize: z.number().default(MAX_MESSAGE_BYTES),
  /** Seconds. */
  VisibilityTimeout: z.number().default(30),
});

/**
 * The template's queues by logical id, with the messages that they held when local mode ended.
 *
 * @param visibilityTimeoutMs replaces the visibility timeouts of the template
 */
export async function openQueues(
  template: ResolvedTemplate,
  folder: DataFolder,
  visibilityTimeoutMs?: number,
): Promise<Map<string, LocalQueue>> {
  const waiting = template.resources('AWS::SQS::Queue', queueProperties);
  const queues = new Map<string, LocalQueue>();
  // A dead letter queue is opened before the queues that refer to it.
  while (waiting.size > 0) {
    const opened = queues.size;
    for (const [logicalId, properties] of waiting) {
      const { RedrivePolicy, VisibilityTimeout, DelaySeconds, MaximumMessageSize } = properties;
      const deadLetterQueue = [...queues.values()].find(({ arn }) => arn === RedrivePolicy?.deadLetterTargetArn);
      if (RedrivePolicy !== undefined && deadLetterQueue === undefined) continue;
      const queue = await LocalQueue.open({
        name: template.attribute(logicalId, 'QueueName'),
        arn: template.attribute(logicalId, 'Arn'),
        dir: folder.path('queues', logicalId),
        visibilityTimeoutMs: visibilityTimeoutMs ?? VisibilityTimeout * 1000,
        delayMs: DelaySeconds * 1000,
        maxMessageBytes: MaximumMessageSize,
        redrive: RedrivePolicy &&
          deadLetterQueue && { deadLetterQueue, maxReceiveCount: RedrivePolicy.maxReceiveCount },
      });
      queues.set(logicalId, queue);
      waiting.delete(logicalId);
    }
    if (queues.size === opened) {
      throw new Error(`Cannot open the queues ${[...waiting.keys()]}: their dead letter queues are not in the stack`);
    }
  }
  return queues;
}
