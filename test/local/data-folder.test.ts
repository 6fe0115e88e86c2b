import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataFolder } from '../../local/data-folder.ts';
import { listen } from '../../local/ports.ts';
import { temporaryFolder, whenFinished } from '../temporary.ts';
import { otherProcess } from './other-process.ts';

const TOKEN = '11111111-2222-4333-8444-555555555555';

/** A lock whose process id and port now belong to another process. */
async function staleLock(): Promise<string> {
  const other = createServer((socket) => socket.end('another program'));
  const port = await listen(other, 0, 'the test');
  whenFinished(() => other.close());
  return JSON.stringify({ pid: process.pid, port, token: TOKEN });
}

describe('the data folder', () => {
  test('can be used by only one running process', async () => {
    const dir = temporaryFolder();
    const folder = await openDataFolder(dir);
    await expect(openDataFolder(dir)).rejects.toThrow(`Todoke already runs in it (process ${process.pid})`);
    await folder.release();
    await (await openDataFolder(dir)).release();
  });

  test('is taken over from a process that has ended, even if others have its id and its port now', async () => {
    const dir = temporaryFolder();
    await writeFile(join(dir, 'lock.json'), await staleLock());
    await (await openDataFolder(dir)).release();
  });

  test('is taken over from an older version, which wrote a different lock', async () => {
    const dir = temporaryFolder();
    await writeFile(join(dir, 'lock.json'), JSON.stringify({ pid: process.pid, startedAt: '4711' }));
    await (await openDataFolder(dir)).release();
  });

  test('is taken over from a process that has ended by one of many that start at the same time', async () => {
    const dir = temporaryFolder();
    await writeFile(join(dir, 'lock.json'), await staleLock());
    const opened = await Promise.allSettled(Array.from({ length: 20 }, () => openDataFolder(dir)));
    const [folder, ...others] = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(others).toEqual([]);
    for (const one of opened) {
      if (one.status === 'rejected') expect(String(one.reason)).toContain('Todoke already runs in it');
    }
    await folder?.release();
    expect(await readdir(dir)).toEqual(['stack.json']);
  });

  test('keeps the stack’s UUID', async () => {
    const dir = temporaryFolder();
    const first = await openDataFolder(dir);
    await first.release();
    const second = await openDataFolder(dir);
    await second.release();
    expect(second.stackUuid).toBe(first.stackUuid);
  });

  test('is released when its process is killed, but not when its process is too busy to answer', async () => {
    const dir = temporaryFolder();
    const holder = await otherProcess(
      `import { openDataFolder } from './local/data-folder.ts';
      await openDataFolder(process.argv[2]);
      process.send('held');`,
      dir,
    );
    await once(holder, 'message');
    await expect(openDataFolder(dir)).rejects.toThrow(`Todoke already runs in it (process ${holder.pid})`);
    holder.kill('SIGSTOP');
    await expect(openDataFolder(dir)).rejects.toThrow(`Todoke already runs in it (process ${holder.pid})`);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await (await openDataFolder(dir)).release();
  });
});

describe('the error for an unusable folder is one sentence', () => {
  test.each([
    ['below a file', () => join(import.meta.filename, 'below'), 'a part of the path is a file, not a folder'],
    ['a file', () => import.meta.filename, 'it is a file, not a folder'],
    ['with too long a name', () => join(temporaryFolder(), 'a'.repeat(300)), 'its name is too long'],
  ])('%s', async (_, where, why) => {
    const dir = where();
    await expect(openDataFolder(dir)).rejects.toThrow(`Cannot use ${dir}: ${why}; choose another --dir`);
  });

  // The kernel's error there is the same as for a missing parent folder.
  test
    .runIf(process.platform === 'linux')
    .each(['/proc/todoke', '/proc/todoke/below', '/proc/self', '/sys/todoke', '/dev/null', '/dev/null/below'])(
    '%s',
    async (dir) => {
      await expect(openDataFolder(dir)).rejects.toThrow(/^Cannot use \S+: .*; choose another --dir$/);
    },
  );
});
