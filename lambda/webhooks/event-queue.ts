/** Writes posts into messages of EventQueue, and reads them from these messages. */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import * as z from 'zod/mini';
import { sendMessage, sqsClient } from '../aws/sqs.ts';
import { jsonText } from '../mail/json.ts';
import { PROVIDERS } from '../mail/provider.ts';
import { WebhookRefusal } from './request.ts';

const queuedPostSchema = z.object({
  provider: z.enum(PROVIDERS),
  /** When the receiver got the post; Unix milliseconds. */
  receivedAtMs: z.number(),
  /** The provider's events in the form that its `accept` function returns, not yet normalized. */
  events: z.array(z.unknown()),
});

/** A verified post, or a part of one. */
export type QueuedPost = Readonly<z.infer<typeof queuedPostSchema>>;

/** The limit that lib/queues.ts sets on a message of EventQueue, in bytes. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

export interface EventQueue {
  /**
   * Puts a post into the queue. Resolves when SQS has stored all of it.
   *
   * @param signal aborts the put, which then throws the signal's reason or the SDK's AbortError
   * @throws WebhookRefusal 413 if one event alone does not fit into a message
   * @throws the error of the SDK, after its own retries
   */
  put(post: QueuedPost, signal: AbortSignal): Promise<void>;
}

export function eventQueue(queueUrl: string, client = sqsClient(), maxMessageBytes = MAX_MESSAGE_BYTES): EventQueue {
  return {
    async put(post, signal) {
      await Promise.all(
        queueMessages(post, maxMessageBytes).map((body) => sendMessage(client, queueUrl, body, { signal })),
      );
    },
  };
}

/**
 * The bodies of the messages that hold a post: base64 of compressed JSON. One message, or several if the post exceeds
 * the limit.
 *
 * @throws WebhookRefusal 413 if one event alone does not fit
 */
export function queueMessages(post: QueuedPost, maxBytes = MAX_MESSAGE_BYTES): string[] {
  // Quality 1 is the fastest, and within 3 % of the size that quality 4 reaches on such posts.
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
  const body = brotliCompressSync(jsonText(post), options).toString('base64');
  if (body.length <= maxBytes) return [body];
  const { events } = post;
  if (events.length < 2) {
    throw new WebhookRefusal(413, 'Cannot take the post: one of its events is too large for a message of the queue');
  }
  const partLength = Math.ceil(events.length / Math.max(2, Math.ceil(body.length / maxBytes)));
  const messages: string[] = [];
  for (let start = 0; start < events.length; start += partLength) {
    messages.push(...queueMessages({ ...post, events: events.slice(start, start + partLength) }, maxBytes));
  }
  return messages;
}

/** Limit for the decompressed JSON. A post has at most 5 MiB, and its JSON in the queue is a little longer. */
const MAX_JSON_BYTES = 32 * 1024 * 1024;

/**
 * Reads a message that {@link queueMessages} made.
 *
 * @returns the post, and the number of bytes of its JSON
 * @throws Error if the message is not one of these
 */
export function readQueueMessage(body: string): QueuedPost & { readonly jsonBytes: number } {
  const json = brotliDecompressSync(Buffer.from(body, 'base64'), { maxOutputLength: MAX_JSON_BYTES });
  return { ...queuedPostSchema.parse(JSON.parse(json.toString())), jsonBytes: json.length };
}
