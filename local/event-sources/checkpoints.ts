/** Keeps on disk how far each shard was read. */
import * as z from 'zod';
import { readJsonFile, toJson, writeFileAtomically } from '../files.ts';

const shardCheckpoint = z.object({
  /** The last sequence number that is done with; absent where nothing has been read. */
  after: z.string().optional(),
  /** Whether the shard was read to its end. */
  closed: z.boolean(),
});
type ShardCheckpoint = Readonly<z.infer<typeof shardCheckpoint>>;

const checkpointFile = z.object({ streamArn: z.string(), shards: z.record(z.string(), shardCheckpoint) });

/** How far an event source mapping has read each shard of a stream. It is on disk before the next batch is read. */
export class Checkpoints {
  readonly #file: string;
  readonly #streamArn: string;
  readonly #shards: Map<string, ShardCheckpoint>;
  /** Writes run one after the other, so that an older state never replaces a newer one. */
  #lastWrite: Promise<void> = Promise.resolve();

  private constructor(file: string, streamArn: string, shards: Record<string, ShardCheckpoint>) {
    this.#file = file;
    this.#streamArn = streamArn;
    this.#shards = new Map(Object.entries(shards));
  }

  /** Checkpoints of another stream, such as that of a table that was deleted and created again, are dropped. */
  static async load(file: string, streamArn: string): Promise<Checkpoints> {
    const kept = await readJsonFile(file, checkpointFile);
    return new Checkpoints(file, streamArn, kept?.streamArn === streamArn ? kept.shards : {});
  }

  get(shardId: string): ShardCheckpoint | undefined {
    return this.#shards.get(shardId);
  }

  async set(shardId: string, checkpoint: ShardCheckpoint): Promise<void> {
    this.#shards.set(shardId, checkpoint);
    await this.#write();
  }

  /** Drops shards that the stream no longer has. */
  async keepOnly(shardIds: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#shards.keys()].filter((shardId) => !shardIds.has(shardId));
    for (const shardId of gone) this.#shards.delete(shardId);
    if (gone.length > 0) await this.#write();
  }

  async #write(): Promise<void> {
    const write = this.#lastWrite.then(() => {
      const content = { streamArn: this.#streamArn, shards: Object.fromEntries(this.#shards) };
      return writeFileAtomically(this.#file, toJson(content));
    });
    this.#lastWrite = write.catch(() => undefined);
    await write;
  }
}
