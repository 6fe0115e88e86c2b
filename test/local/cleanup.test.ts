import { expect, test } from 'vitest';
import { Cleanup, startOrUndo } from '../../local/cleanup.ts';

test('runs the cleanups in reverse order, once, even if one fails', async () => {
  const lines: string[] = [];
  const cleanup = new Cleanup();
  cleanup.defer('stop the first', () => void lines.push('first'));
  cleanup.defer('stop the second', () => {
    throw new Error('it hangs');
  });
  cleanup.defer('stop the third', () => void lines.push('third'));
  await cleanup.run((problem) => lines.push(problem));
  await cleanup.run((problem) => lines.push(problem));
  expect(lines).toEqual(['third', 'Cannot stop the second: it hangs', 'first']);
});

test('runs a cleanup at once if it is added after the end', async () => {
  const lines: string[] = [];
  const cleanup = new Cleanup();
  await cleanup.run(() => undefined);
  cleanup.defer('stop the late one', () => void lines.push('late'));
  await cleanup.run(() => undefined);
  expect(lines).toEqual(['late']);
});

test('undoes a start that fails', async () => {
  const lines: string[] = [];
  const started = startOrUndo(
    async (cleanup) => {
      cleanup.defer('stop what was started', () => void lines.push('stopped'));
      throw new Error('Cannot start');
    },
    () => undefined,
  );
  await expect(started).rejects.toThrow('Cannot start');
  expect(lines).toEqual(['stopped']);
});
