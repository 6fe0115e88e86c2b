import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { replaceFile, writeFileAtomically } from '../../local/files.ts';
import { temporaryFolder } from '../temporary.ts';

/** A move that fails once with each of the codes, and then succeeds. */
function movesAfter(...codes: string[]) {
  const left = [...codes];
  return {
    left,
    move: async (from: string, to: string) => {
      const code = left.shift();
      if (code !== undefined) throw Object.assign(new Error(`${code}: operation not permitted, rename`), { code });
      await rename(from, to);
    },
  };
}

async function twoFiles() {
  const dir = temporaryFolder();
  const [from, to] = [join(dir, 'from'), join(dir, 'to')];
  await Promise.all([writeFile(from, 'new'), writeFile(to, 'old')]);
  return { from, to, content: () => readFile(to, 'utf8') };
}

describe('a file that another process has open', () => {
  test('is replaced on Windows as soon as that process closes it', async () => {
    const { from, to, content } = await twoFiles();
    await replaceFile(from, to, { platform: 'win32', move: movesAfter('EPERM', 'EBUSY', 'EACCES').move });
    expect(await content()).toBe('new');
  });

  test('causes an error at once on other systems, where the error has another meaning', async () => {
    const { from, to, content } = await twoFiles();
    const { move, left } = movesAfter('EPERM', 'EPERM');
    await expect(replaceFile(from, to, { platform: 'linux', move })).rejects.toThrow('EPERM');
    expect(left).toHaveLength(1);
    expect(await content()).toBe('old');
  });

  test('causes an error at once if the move fails for another reason', async () => {
    const { from, to } = await twoFiles();
    const { move, left } = movesAfter('ENOSPC', 'ENOSPC');
    await expect(replaceFile(from, to, { platform: 'win32', move })).rejects.toThrow('ENOSPC');
    expect(left).toHaveLength(1);
  });
});

test('a failed write leaves nothing behind, and the error names the file', async () => {
  const dir = temporaryFolder();
  const path = join(dir, 'taken');
  await mkdir(path);
  await expect(writeFileAtomically(path, 'content')).rejects.toThrow(`Cannot write ${path}: `);
  expect(await readdir(dir)).toEqual(['taken']);
});
