import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { LogFile } from '../../local/log-file.ts';
import { temporaryFolder } from '../temporary.ts';

test('new lines are appended to a log, which is complete after it is closed', async () => {
  const path = join(temporaryFolder(), 'logs', 'a.log');
  for (const line of ['first', 'second']) {
    const log = new LogFile(path, expect.unreachable);
    log.write(line);
    await log.close();
    log.write('too late');
    await log.close();
  }
  expect(await readFile(path, 'utf8')).toBe('first\nsecond\n');
});

test('a log that cannot be opened is reported', async () => {
  const path = join(temporaryFolder(), 'a.log');
  await mkdir(path);
  expect(() => new LogFile(path, expect.unreachable)).toThrow(`Cannot write ${path}: EISDIR`);
});

test.runIf(existsSync('/dev/full'))('a full disk is reported once, and stops nothing', async () => {
  const report = vi.fn();
  const log = new LogFile('/dev/full', report);
  log.write('lost');
  await vi.waitFor(() => expect(report).toHaveBeenCalledOnce());
  expect(report).toHaveBeenCalledWith(expect.stringMatching(/^Cannot write \/dev\/full: ENOSPC.*; its further lines/));
  log.write('lost too');
  await log.close();
  expect(report).toHaveBeenCalledOnce();
});
