import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { synthesizeIfChanged } from '../../../local/stack/synthesize.ts';

test('the stack is synthesized once for the same sources and settings, and anew for others', async () => {
  const outDir = await mkdtemp(join(tmpdir(), 'todoke-synthesize-'));
  onTestFinished(() => rm(outDir, { recursive: true, force: true }));
  let timesMade = 0;
  const made = (context: Record<string, unknown>) => synthesizeIfChanged({ outDir, context }, () => timesMade++);

  const first = await made({ retentionDays: 30 });
  expect(timesMade).toBe(1);
  expect(await made({ retentionDays: 30 })).toEqual(first);
  expect(timesMade).toBe(1);

  const other = await made({ retentionDays: 60 });
  expect(timesMade).toBe(2);
  expect(JSON.stringify(other.template)).not.toBe(JSON.stringify(first.template));
});
