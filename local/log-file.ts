/** A file that lines are added to. */
import { createWriteStream, mkdirSync, openSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from './files.ts';

/** A log. If a write fails, the error is reported once and further lines are lost. */
export class LogFile {
  readonly #stream: WriteStream;

  /** @throws Error if it cannot be opened */
  constructor(path: string, report: (line: string) => void) {
    const cannotWrite = (error: unknown) => `Cannot write ${path}: ${messageOf(error)}`;
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#stream = createWriteStream(path, { fd: openSync(path, 'a') });
    } catch (cause) {
      throw new Error(cannotWrite(cause), { cause });
    }
    this.#stream.on('error', (error) => report(`${cannotWrite(error)}; its further lines are lost`));
  }

  write(line: string): void {
    if (this.#stream.writable) this.#stream.write(`${line}\n`);
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    if (this.#stream.writable) await new Promise<void>((resolve) => this.#stream.end(() => resolve()));
  }
}
