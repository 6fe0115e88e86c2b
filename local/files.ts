/** Files that are written whole, and JSON that is read by a schema. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';

/**
 * Writes a whole file or nothing: a reader, or the next start after a crash, never sees half of it.
 *
 * @param mode of a new file, such as 0o600 for a secret
 */
export async function writeFileAtomically(path: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await replaceFile(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new Error(`Cannot write ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

const REPLACE_ATTEMPTS = 10;
/** What Windows answers while another process, such as a virus scanner, has the file open. */
const IN_USE = ['EPERM', 'EACCES', 'EBUSY'];

interface ReplaceOptions {
  readonly platform?: string;
  readonly move?: (from: string, to: string) => Promise<void>;
}

/** Renames a file over another one. On Windows it waits up to half a second for a process that has either open. */
export async function replaceFile(
  from: string,
  to: string,
  { platform = process.platform, move = rename }: ReplaceOptions = {},
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await move(from, to);
    } catch (error) {
      const inUse = platform === 'win32' && IN_USE.some((code) => isErrorWithCode(error, code));
      if (!inUse || attempt === REPLACE_ATTEMPTS) throw error;
      await sleep(attempt * 10);
    }
  }
}

/** A value as the JSON text that a person can read and edit. */
export const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/**
 * The JSON in a file, in the shape that `schema` asks for; undefined if there is no such file.
 *
 * @throws Error that names the file if it cannot be read, or if its content is not JSON or of another shape.
 */
export async function readJsonFile<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT')) return undefined;
    throw new Error(`Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    // The error of JSON.parse quotes the text, which may be a secret.
    const problem = cause instanceof z.ZodError ? z.prettifyError(cause) : 'it is not JSON';
    throw new Error(`Cannot use ${path}: ${problem}`, { cause });
  }
}

/** True for Node's errors with this `code`, such as `ENOENT` or `EADDRINUSE`. */
export function isErrorWithCode(error: unknown, code: string): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The message of an unknown thrown value. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
