/** The queue in which Customers Mail Cloud's posts wait for storage: what is put in, and read back. */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import * as z from 'zod/mini';
import { CLIENT_SETTINGS } from '../aws/clients.ts';
import { jsonText } from '../mail/json.ts';

const spilledPostSchema = z.object({
  /** When the post came, Unix milliseconds. */
  receivedAtMs: z.number(),
  entries: z.array(z.object({ eventType: z.string(), entry: z.unknown() })),
});

/** Entries of an authenticated post of Customers Mail Cloud that could not be recorded when it came. */
export type SpilledPost = z.infer<typeof spilledPostSchema>;

/** SQS takes messages of up to 1 MiB (Developer Guide, "Message quotas"). */
const MAX_MESSAGE_BYTES = 1024 * 1024;

/** The queue in which posts wait for storage. */
export function spillQueue(queueUrl: string) {
  const client = new SQSClient(CLIENT_SETTINGS);
  return {
    /**
     * Puts a post into the queue, compressed, in as many messages as it takes.
     *
     * @throws Error where one entry alone is too large, and whatever the SDK throws after its own retries
     */
    async put(post: SpilledPost, signal: AbortSignal): Promise<void> {
      const messages = spillMessages(post);
      await Promise.all(
        messages.map((MessageBody) =>
          client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody }), { abortSignal: signal }),
        ),
      );
    },
  };
}

/** The bodies of the messages that hold a post: halved until each is small enough. */
export function spillMessages(post: SpilledPost, maxBytes = MAX_MESSAGE_BYTES): string[] {
  const text = jsonText(post);
  // A fast level: a post of 5 MiB must be in the queue within seconds.
  const compressed = brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
  const body = compressed.toString('base64');
  if (body.length <= maxBytes) return [body];
  if (post.entries.length < 2) {
    throw new Error(`Cannot spill an entry of ${text.length} characters: it is too large for one message`);
  }
  const middle = Math.ceil(post.entries.length / 2);
  return [post.entries.slice(0, middle), post.entries.slice(middle)].flatMap((entries) =>
    spillMessages({ ...post, entries }, maxBytes),
  );
}

/** @throws Error where the body is no spilled post */
export function readSpillMessage(body: string): SpilledPost {
  return spilledPostSchema.parse(JSON.parse(brotliDecompressSync(Buffer.from(body, 'base64')).toString()));
}
