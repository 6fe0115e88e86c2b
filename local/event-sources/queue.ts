/** A queue, kept in a file. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { readJsonFile, toJson, writeFileAtomically } from '../files.ts';

const storedMessage = z.object({
  messageId: z.string(),
  body: z.string(),
  /** Unix milliseconds. */
  sentAt: z.number(),
  firstReceivedAt: z.number().optional(),
  receiveCount: z.number(),
});

/** A message as it is kept on disk. */
export type QueueMessage = Readonly<z.infer<typeof storedMessage>>;

export interface QueueOptions {
  readonly name: string;
  readonly arn: string;
  /** A folder of its own; each message is one file in it. */
  readonly dir: string;
  /** How long a message that was received stays out of sight, unless it is deleted. */
  readonly visibilityTimeoutMs: number;
  /** Where a message goes that was received `maxReceiveCount` times and not deleted. */
  readonly redrive?: { readonly deadLetterQueue: LocalQueue; readonly maxReceiveCount: number } | undefined;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

/** An SQS standard queue that survives a restart. */
export class LocalQueue {
  readonly name: string;
  readonly arn: string;
  readonly #options: QueueOptions;
  readonly #now: () => number;
  /** In the order in which they came; the file's name is the key. */
  readonly #messages = new Map<string, { message: QueueMessage; visibleAt: number }>();

  private constructor(options: QueueOptions) {
    this.name = options.name;
    this.arn = options.arn;
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Opens the queue with what is in its folder. What was being worked on when local mode ended can be seen at once. */
  static async open(options: QueueOptions): Promise<LocalQueue> {
    await mkdir(options.dir, { recursive: true });
    const queue = new LocalQueue(options);
    const files = (await readdir(options.dir)).filter((file) => file.endsWith('.json')).sort();
    for (const file of files) {
      const message = await readJsonFile(join(options.dir, file), storedMessage);
      if (message !== undefined) queue.#messages.set(file, { message, visibleAt: 0 });
    }
    return queue;
  }

  /** Resolves when the message is on disk. */
  async send(body: string, messageId: string = randomUUID()): Promise<QueueMessage> {
    const message = { messageId, body, sentAt: this.#now(), receiveCount: 0 };
    const file = `${String(message.sentAt).padStart(15, '0')}-${messageId}.json`;
    await this.#store(file, message);
    this.#messages.set(file, { message, visibleAt: 0 });
    return message;
  }

  /** Takes up to `max` messages that can be seen, oldest first, out of sight for the visibility timeout. */
  async receive(max: number): Promise<QueueMessage[]> {
    const { redrive, visibilityTimeoutMs } = this.#options;
    const received: QueueMessage[] = [];
    for (const [file, entry] of this.#messages) {
      if (received.length === max) break;
      if (entry.visibleAt > this.#now()) continue;
      entry.visibleAt = this.#now() + visibilityTimeoutMs;
      if (redrive !== undefined && entry.message.receiveCount >= redrive.maxReceiveCount) {
        await redrive.deadLetterQueue.send(entry.message.body, entry.message.messageId);
        await this.#remove(file);
        continue;
      }
      const { message } = entry;
      entry.message = {
        ...message,
        firstReceivedAt: message.firstReceivedAt ?? this.#now(),
        receiveCount: message.receiveCount + 1,
      };
      await this.#store(file, entry.message);
      received.push(entry.message);
    }
    return received;
  }

  async delete(messageId: string): Promise<void> {
    for (const [file, { message }] of this.#messages) {
      if (message.messageId === messageId) await this.#remove(file);
    }
  }

  /** All messages, whether they can be seen or not, oldest first. */
  messages(): QueueMessage[] {
    return Array.from(this.#messages.values(), ({ message }) => message);
  }

  /** How many messages were received, and neither deleted nor visible again. */
  inFlight(): number {
    return [...this.#messages.values()].filter(({ visibleAt }) => visibleAt > this.#now()).length;
  }

  async #store(file: string, message: QueueMessage): Promise<void> {
    await writeFileAtomically(join(this.#options.dir, file), toJson(message));
  }

  async #remove(file: string): Promise<void> {
    await rm(join(this.#options.dir, file), { force: true });
    this.#messages.delete(file);
  }
}

/** As SQS states it and its clients check it: of the UTF-8 text, in hexadecimal digits. */
export const md5OfBody = (body: string) => createHash('md5').update(body).digest('hex');
