/** The folder in which local mode keeps everything. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { isErrorWithCode, readJsonFile, toJson, writeFileAtomically } from './files.ts';
import { identifyProcess, isRunning, processIdentity } from './processes.ts';

/** The folder that keeps everything of one local stack between starts, held by this process. */
export interface DataFolder {
  /** The absolute path of something in it. */
  path(...parts: string[]): string;
  /** The UUID in the stack's id. Made once, so that the webhook's path, which is taken from it, never changes. */
  readonly stackUuid: string;
  /** Lets another process use the folder. */
  release(): Promise<void>;
}

/**
 * Opens the folder for this process alone, and makes it where it is missing.
 *
 * @throws Error where another running process has it.
 */
export async function openDataFolder(dir: string): Promise<DataFolder> {
  const root = resolve(dir);
  const lock = join(root, 'lock.json');
  try {
    await mkdir(root, { recursive: true });
    await takeLock(lock, dir);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    throw new Error(`Cannot use ${dir}: ${UNUSABLE[String(cause.code)] ?? cause.message}; choose another --dir`, {
      cause,
    });
  }
  try {
    return {
      path: (...parts) => join(root, ...parts),
      stackUuid: await stackUuid(join(root, 'stack.json')),
      release: () => rm(lock, { force: true }),
    };
  } catch (error) {
    await rm(lock, { force: true });
    throw error;
  }
}

const UNUSABLE: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'it cannot be written',
  EEXIST: 'it is a file, not a folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
};

async function takeLock(lock: string, dir: string): Promise<void> {
  const claim = `${lock}.${randomUUID()}`;
  await writeFile(claim, toJson(identifyProcess(process.pid)));
  try {
    while (!(await isLinked(claim, lock))) {
      if (!(await isStale(lock, dir))) continue;
      // Several may have seen that it is stale. One at a time looks again and removes it, never what another has taken.
      const removal = `${lock}.removal`;
      await takeLock(removal, dir);
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

/** A hard link is made whole or not at all, and not where the name is taken: no reader sees an empty lock. */
async function isLinked(claim: string, lock: string): Promise<boolean> {
  try {
    await link(claim, lock);
    return true;
  } catch (error) {
    if (!isErrorWithCode(error, 'EEXIST')) throw error;
    return false;
  }
}

/** @throws Error where its process runs. */
async function isStale(lock: string, dir: string): Promise<boolean> {
  const holder = await readJsonFile(lock, processIdentity);
  if (holder !== undefined && isRunning(holder)) {
    throw new Error(
      `Cannot use ${dir}: Todoke already runs on it (process ${holder.pid}); stop that one, or choose another --dir`,
    );
  }
  return holder !== undefined;
}

const stackFile = z.object({ uuid: z.uuid() });

async function stackUuid(path: string): Promise<string> {
  const known = await readJsonFile(path, stackFile);
  if (known !== undefined) return known.uuid;
  const uuid = randomUUID();
  await writeFileAtomically(path, toJson({ uuid }));
  return uuid;
}
