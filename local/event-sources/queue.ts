/** A queue, kept in a folder. */
import { createHash, randomUUID } from 'node:crypto';
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
  /** How long a received message stays hidden, unless it is deleted. */
  readonly visibilityTimeoutMs: number;
  /** The delay of a message that is sent without one. */
  readonly delayMs?: number;
  /** The limit for a message's body; by default SQS's own. */
  readonly maxMessageBytes?: number;
  /** Where a message goes that was received `maxReceiveCount` times and not deleted. */
  readonly redrive?: { readonly deadLetterQueue: LocalQueue; readonly maxReceiveCount: number } | undefined;
  /** Unix milliseconds. */
  readonly now?: () => number;
  /** Waits for `ms`, or until `signal` aborts. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

interface Entry {
  readonly file: string;
  message: QueueMessage;
  /** When the message can be received again; Unix milliseconds. */
  visibleAt: number;
}

/** 1 MiB. */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** Longest wait before the clock is read again: timers stand still while the machine sleeps. */
const MAX_WAIT_MS = 60_000;

/** An SQS standard queue that survives a restart. */
export class LocalQueue {
  readonly name: string;
  readonly arn: string;
  readonly maxMessageBytes: number;
  readonly #options: QueueOptions;
  readonly #now: () => number;
  /** By message id, in the order in which the messages were sent. */
  readonly #entries = new Map<string, Entry>();
  /** The entries that can be received. */
  readonly #visible = new Set<Entry>();
  /** All other entries, in flight or delayed, sorted by `visibleAt`. */
  readonly #hidden: Entry[] = [];
  /** Each ends one wait for a visible message. */
  readonly #wakers = new Set<() => void>();

  private constructor(options: QueueOptions) {
    this.name = options.name;
    this.arn = options.arn;
    this.maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Opens the queue with the messages in its folder. A message that was in flight when local mode ended can be received
   * at once; a delay still holds.
   */
  static async open(options: QueueOptions): Promise<LocalQueue> {
    await mkdir(options.dir, { recursive: true });
    const queue = new LocalQueue(options);
    for (const file of (await readdir(options.dir)).sort()) {
      // A crash interrupted this write.
      if (file.endsWith('.tmp')) await rm(join(options.dir, file));
      if (!file.endsWith('.json')) continue;
      const message = await readJsonFile(join(options.dir, file), storedMessage);
      if (message !== undefined) queue.#add({ file, message, visibleAt: message.delayedUntil ?? 0 });
    }
    return queue;
  }

  /**
   * Resolves when the message is on disk.
   *
   * @param options.delayMs the queue's own delay if left out
   */
  async send(body: string, options: { readonly delayMs?: number | undefined } = {}): Promise<QueueMessage> {
    const { delayMs = this.#options.delayMs ?? 0 } = options;
    const sentAt = this.#now();
    const delay = delayMs > 0 ? { delayedUntil: sentAt + delayMs } : {};
    const message = { messageId: randomUUID(), body, sentAt, ...delay, receiveCount: 0 };
    await this.#put(message);
    return message;
  }

  /**
   * Receives visible messages, oldest first, and hides them for the visibility timeout.
   *
   * @param maxMessages how many at most
   * @param maxBytes of these messages together; a single message may be larger
   * @param bytesOf the size of a message, as the caller counts it
   */
  async receive(
    maxMessages: number,
    maxBytes = Number.POSITIVE_INFINITY,
    bytesOf = ({ body }: QueueMessage) => Buffer.byteLength(body),
  ): Promise<QueueMessage[]> {
    this.#showDue();
    const taken: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#visible) {
      if (taken.length === maxMessages) break;
      bytes += bytesOf(entry.message);
      if (taken.length > 0 && bytes > maxBytes) break;
      taken.push(entry);
    }
    for (const entry of taken) {
      this.#visible.delete(entry);
      entry.visibleAt = this.#now() + this.#options.visibilityTimeoutMs;
      this.#hide(entry);
    }
    const received = await Promise.all(taken.map((entry) => this.#countReceive(entry)));
    return received.filter((message) => message !== undefined);
  }

  /** Resolves when a message can be received, or `signal` aborts. */
  async whenVisible(signal: AbortSignal): Promise<void> {
    const { wait = pause } = this.#options;
    for (this.#showDue(); this.#visible.size === 0 && !signal.aborted; this.#showDue()) {
      const nextAt = this.#hidden[0]?.visibleAt ?? Number.POSITIVE_INFINITY;
      const woken = new AbortController();
      const wake = () => woken.abort();
      signal.addEventListener('abort', wake);
      this.#wakers.add(wake);
      await wait(Math.min(nextAt - this.#now(), MAX_WAIT_MS), woken.signal);
      this.#wakers.delete(wake);
      signal.removeEventListener('abort', wake);
    }
  }

  async delete(messageId: string): Promise<void> {
    const entry = this.#entries.get(messageId);
    if (entry === undefined) return;
    this.#forget(entry);
    await this.#removeFile(entry);
  }

  /** All messages, visible or not, oldest first. */
  messages(): QueueMessage[] {
    return Array.from(this.#entries.values(), ({ message }) => message);
  }

  /** How many messages can be received, are in flight (received, and neither deleted nor visible again), or are delayed. */
  counts(): { readonly visible: number; readonly inFlight: number; readonly delayed: number } {
    this.#showDue();
    const delayed = this.#hidden.filter(({ message }) => message.receiveCount === 0).length;
    return { visible: this.#visible.size, inFlight: this.#hidden.length - delayed, delayed };
  }

  /** Counts that a message is received; if it was received too often, it moves to the dead letter queue instead. */
  async #countReceive(entry: Entry): Promise<QueueMessage | undefined> {
    const { redrive } = this.#options;
    const { messageId, body, sentAt, firstReceivedAt = this.#now(), receiveCount } = entry.message;
    if (redrive !== undefined && receiveCount >= redrive.maxReceiveCount) {
      // It keeps id and time, so that a move that is repeated after a crash writes the same file.
      await redrive.deadLetterQueue.#put({ messageId, body, sentAt, receiveCount: 0 });
      await this.delete(messageId);
      return undefined;
    }
    entry.message = { ...entry.message, firstReceivedAt, receiveCount: receiveCount + 1 };
    await this.#write(entry);
    // If an earlier receiver deleted the message meanwhile, this write brought its file back.
    if (this.#entries.get(messageId) !== entry) {
      await this.#removeFile(entry);
      return undefined;
    }
    return entry.message;
  }

  async #put(message: QueueMessage): Promise<void> {
    const file = `${String(message.sentAt).padStart(15, '0')}-${message.messageId}.json`;
    const entry = { file, message, visibleAt: message.delayedUntil ?? 0 };
    await this.#write(entry);
    this.#add(entry);
  }

  #add(entry: Entry): void {
    const { messageId } = entry.message;
    const earlier = this.#entries.get(messageId);
    if (earlier !== undefined) this.#forget(earlier);
    this.#entries.set(messageId, entry);
    if (entry.visibleAt <= this.#now()) this.#visible.add(entry);
    else this.#hide(entry);
    for (const wake of this.#wakers) wake();
  }

  #forget(entry: Entry): void {
    const { messageId } = entry.message;
    if (this.#entries.get(messageId) !== entry) return;
    this.#entries.delete(messageId);
    if (this.#visible.delete(entry)) return;
    this.#hidden.splice(this.#hidden.lastIndexOf(entry, this.#countDueAt(entry.visibleAt) - 1), 1);
  }

  #hide(entry: Entry): void {
    this.#hidden.splice(this.#countDueAt(entry.visibleAt), 0, entry);
  }

  /** Makes the hidden entries visible that are due. */
  #showDue(): void {
    for (const entry of this.#hidden.splice(0, this.#countDueAt(this.#now()))) this.#visible.add(entry);
  }

  /** How many hidden entries are due at this time; by binary search. */
  #countDueAt(time: number): number {
    let [low, high] = [0, this.#hidden.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#hidden[middle]?.visibleAt ?? 0) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async #write({ file, message }: Entry): Promise<void> {
    await writeFileAtomically(join(this.#options.dir, file), toJson(message));
  }

  async #removeFile({ file }: Entry): Promise<void> {
    await rm(join(this.#options.dir, file), { force: true });
  }
}

/** The MD5 of the UTF-8 text in hexadecimal digits, which SQS answers and its clients check. */
export const md5OfBody = (body: string) => createHash('md5').update(body).digest('hex');
