/** A queue, kept in a folder. */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { readJsonFile, toJson, writeFileAtomically } from '../files.ts';
import { pause } from '../pause.ts';

const storedMessage = z.object({
  messageId: z.string(),
  body: z.string(),
  /** Unix milliseconds. */
  sentAt: z.number(),
  /** Before this time a delayed message is not received; Unix milliseconds. */
  delayedUntil: z.number().optional(),
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
  /** The delay of a message that is sent without one. */
  readonly delayMs?: number;
  /** Of a message's body; SQS's own limit if left out. */
  readonly maxMessageBytes?: number;
  /** Where a message goes that was received `maxReceiveCount` times and not deleted. */
  readonly redrive?: { readonly deadLetterQueue: LocalQueue; readonly maxReceiveCount: number } | undefined;
  /** Unix milliseconds. */
  readonly now?: () => number;
  /** Waits for so long, though not longer than until `signal` aborts. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

interface SendOptions {
  /** The queue's own delay if left out. */
  readonly delayMs?: number | undefined;
  readonly messageId?: string;
}

interface Entry {
  readonly file: string;
  message: QueueMessage;
  /** Unix milliseconds; in the past while the message can be received. */
  visibleAt: number;
}

/** 1 MiB. */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** An SQS standard queue that survives a restart. */
export class LocalQueue {
  readonly name: string;
  readonly arn: string;
  readonly maxMessageBytes: number;
  readonly #options: QueueOptions;
  readonly #now: () => number;
  /** By message id, in the order in which they came: those that can be received, and those that cannot yet. */
  readonly #visible = new Map<string, Entry>();
  readonly #hidden = new Map<string, Entry>();
  readonly #arrivals = new EventTarget();

  private constructor(options: QueueOptions) {
    this.name = options.name;
    this.arn = options.arn;
    this.maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Opens the queue with the messages in its folder. A message that was being worked on when local mode ended can be
   * received at once; a delay still holds.
   */
  static async open(options: QueueOptions): Promise<LocalQueue> {
    await mkdir(options.dir, { recursive: true });
    const queue = new LocalQueue(options);
    const files = (await readdir(options.dir)).filter((file) => file.endsWith('.json')).sort();
    for (const file of files) {
      const message = await readJsonFile(join(options.dir, file), storedMessage);
      if (message !== undefined) queue.#add({ file, message, visibleAt: message.delayedUntil ?? 0 });
    }
    return queue;
  }

  /** Resolves when the message is on disk. */
  async send(body: string, { delayMs = this.#options.delayMs ?? 0, messageId = randomUUID() }: SendOptions = {}) {
    const sentAt = this.#now();
    const message: QueueMessage = {
      messageId,
      body,
      sentAt,
      receiveCount: 0,
      ...(delayMs > 0 && { delayedUntil: sentAt + delayMs }),
    };
    const entry = {
      file: `${String(sentAt).padStart(15, '0')}-${messageId}.json`,
      message,
      visibleAt: message.delayedUntil ?? 0,
    };
    await this.#store(entry);
    this.#add(entry);
    return message;
  }

  /**
   * Takes messages that can be seen, oldest first, out of sight for the visibility timeout.
   *
   * @param maxMessages how many at most
   * @param maxBytes of all bodies together; a single message may be larger
   */
  async receive(maxMessages: number, maxBytes = Number.POSITIVE_INFINITY): Promise<QueueMessage[]> {
    this.#show();
    const { redrive, visibilityTimeoutMs } = this.#options;
    const received: Entry[] = [];
    const exhausted: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#visible.values()) {
      const { message } = entry;
      if (redrive !== undefined && message.receiveCount >= redrive.maxReceiveCount) {
        exhausted.push(entry);
        continue;
      }
      bytes += Buffer.byteLength(message.body);
      if (received.length === maxMessages || (received.length > 0 && bytes > maxBytes)) break;
      received.push(entry);
      entry.message = {
        ...message,
        firstReceivedAt: message.firstReceivedAt ?? this.#now(),
        receiveCount: message.receiveCount + 1,
      };
    }
    for (const entry of [...received, ...exhausted]) {
      entry.visibleAt = this.#now() + visibilityTimeoutMs;
      this.#visible.delete(entry.message.messageId);
      this.#hidden.set(entry.message.messageId, entry);
    }
    await Promise.all(received.map((entry) => this.#store(entry)));
    for (const { message } of exhausted) {
      await redrive?.deadLetterQueue.send(message.body, { messageId: message.messageId });
      await this.delete(message.messageId);
    }
    return received.map(({ message }) => message);
  }

  /** Resolves when a message may be there to be received, or `signal` aborts. */
  async whenVisible(signal: AbortSignal): Promise<void> {
    this.#show();
    if (this.#visible.size > 0 || signal.aborted) return;
    const nextAt = Math.min(...Array.from(this.#hidden.values(), ({ visibleAt }) => visibleAt));
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const arrival = once(this.#arrivals, 'message', { signal: either }).catch(() => undefined);
    // A timer takes no longer time than this.
    const waitMs = Math.min(nextAt - this.#now(), 2 ** 31 - 1);
    await (Number.isFinite(nextAt) ? Promise.race([arrival, (this.#options.wait ?? pause)(waitMs, either)]) : arrival);
    ended.abort();
  }

  async delete(messageId: string): Promise<void> {
    const entry = this.#visible.get(messageId) ?? this.#hidden.get(messageId);
    if (entry === undefined) return;
    await rm(join(this.#options.dir, entry.file), { force: true });
    this.#visible.delete(messageId);
    this.#hidden.delete(messageId);
  }

  /** All messages, whether they can be seen or not. */
  messages(): QueueMessage[] {
    return [...this.#visible.values(), ...this.#hidden.values()].map(({ message }) => message);
  }

  /** How many messages can be received, were received and are neither deleted nor visible again, or are still delayed. */
  counts(): { readonly visible: number; readonly inFlight: number; readonly delayed: number } {
    this.#show();
    const delayed = [...this.#hidden.values()].filter(({ message }) => message.receiveCount === 0).length;
    return { visible: this.#visible.size, inFlight: this.#hidden.size - delayed, delayed };
  }

  #add(entry: Entry): void {
    const isHidden = entry.visibleAt > this.#now();
    (isHidden ? this.#hidden : this.#visible).set(entry.message.messageId, entry);
    this.#arrivals.dispatchEvent(new Event('message'));
  }

  /** Brings messages into sight whose time has come. */
  #show(): void {
    for (const [messageId, entry] of this.#hidden) {
      if (entry.visibleAt > this.#now()) continue;
      this.#hidden.delete(messageId);
      this.#visible.set(messageId, entry);
    }
  }

  async #store({ file, message }: Entry): Promise<void> {
    await writeFileAtomically(join(this.#options.dir, file), toJson(message));
  }
}

/** As SQS states it and its clients check it: of the UTF-8 text, in hexadecimal digits. */
export const md5OfBody = (body: string) => createHash('md5').update(body).digest('hex');
