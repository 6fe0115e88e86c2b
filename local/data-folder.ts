/** The folder in which local mode keeps everything. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { isErrorWithCode, messageOf, readJsonFile, toJson, writeFileAtomically } from './files.ts';
import { isHeld, type LockHolder, lockHolder, startHolding } from './lock-holder.ts';

/** The folder that keeps everything of one local stack between starts, held by this process. */
export interface DataFolder {
  /** The absolute path of something in it. */
  path(...parts: string[]): string;
  /** The UUID in the stack's id. It is made once, because the webhook's path contains it and must not change. */
  readonly stackUuid: string;
  /** Lets another process use the folder. */
  release(): Promise<void>;
}

/**
 * Opens the folder for this process alone, and makes it where it is missing.
 *
 * @throws Error if another running process has it, or if it cannot be made or written.
 */
export async function openDataFolder(dir: string): Promise<DataFolder> {
  const root = resolve(dir);
  const lock = join(root, 'lock.json');
  const holding = await startHolding();
  const release = async () => {
    await rm(lock, { force: true });
    await holding.stop();
  };
  try {
    await makeFolder(root);
    await takeLock(lock, holding.holder, dir);
  } catch (error) {
    await holding.stop();
    throw unusable(dir, error);
  }
  try {
    return { path: (...parts) => join(root, ...parts), stackUuid: await stackUuid(join(root, 'stack.json')), release };
  } catch (error) {
    await release();
    throw unusable(dir, error);
  }
}

/** An error of the system as a sentence that says what to do. Any other error as it is. */
function unusable(dir: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error)) return error;
  const why = UNUSABLE[String(error.code)] ?? messageOf(error);
  return new Error(`Cannot use ${dir}: ${why}; choose another --dir`, { cause: error });
}

/** The same for an error about a file in the folder. */
export function inFolder(dir: string, error: unknown): unknown {
  const isAboutFile = error instanceof Error && 'syscall' in error && 'path' in error;
  if (!isAboutFile) return error;
  return new Error(`Cannot use ${dir}: ${error.message}; move that file away, or choose another --dir`, {
    cause: error,
  });
}

const UNUSABLE: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'it cannot be written',
  ENOENT: 'no folder or file can be made there',
  EEXIST: 'it is a file, not a folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'its name is too long',
};

/**
 * Makes a folder and those above it. Node's own `recursive` never ends if the system answers ENOENT although the folder
 * above exists, as in `/proc`.
 */
async function makeFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (!isErrorWithCode(error, 'ENOENT')) throw error;
  });
  if (found?.isDirectory()) return;
  if (found === undefined && dirname(path) !== path) await makeFolder(dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may have made it in this moment.
    const made = await stat(path).catch(() => undefined);
    if (!made?.isDirectory()) throw error;
  }
}

async function takeLock(lock: string, holder: LockHolder, dir: string): Promise<void> {
  const claim = `${lock}.${randomUUID()}`;
  await writeFile(claim, toJson(holder));
  try {
    while (!(await isLinked(claim, lock))) {
      if (!(await isStale(lock, dir))) continue;
      // Several processes may find it stale. One at a time checks again and removes it, so none removes a new lock.
      const removal = `${lock}.removal`;
      await takeLock(removal, holder, dir);
      try {
        if (await isStale(lock, dir)) await rm(lock);
      } finally {
        await rm(removal);
      }
    }
  } finally {
    await rm(claim, { force: true });
  }
}

/** A hard link is created atomically and only if the name is free, so no reader sees an empty lock. */
async function isLinked(claim: string, lock: string): Promise<boolean> {
  try {
    await link(claim, lock);
    return true;
  } catch (error) {
    if (!isErrorWithCode(error, 'EEXIST')) throw error;
    return false;
  }
}

/** @throws Error if the process that holds the lock still runs */
async function isStale(lock: string, dir: string): Promise<boolean> {
  const content = await readJsonFile(lock, z.unknown());
  if (content === undefined) return false;
  // A lock of an older version is stale: nobody runs two versions in one folder.
  const holder = lockHolder.safeParse(content).data;
  if (holder !== undefined && (await isHeld(holder))) {
    throw new Error(
      `Cannot use ${dir}: Todoke already runs in it (process ${holder.pid}); stop that process, or choose another --dir`,
    );
  }
  return true;
}

const stackFile = z.object({ uuid: z.uuid() });

async function stackUuid(path: string): Promise<string> {
  const known = await readJsonFile(path, stackFile);
  if (known !== undefined) return known.uuid;
  const uuid = randomUUID();
  await writeFileAtomically(path, toJson({ uuid }));
  return uuid;
}
