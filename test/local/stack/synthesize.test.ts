import { cp } from 'node:fs/promises';
import { expect, inject, test } from 'vitest';
import { readAssembly, synthesizeIfChanged } from '../../../local/stack/synthesize.ts';
import { temporaryFolder } from '../../temporary.ts';

test('the stack is synthesized once for the same sources and settings, and anew for others', async () => {
  const outDir = temporaryFolder();
  await cp(inject('assemblyDir'), outDir, { recursive: true });
  const first = await readAssembly(outDir);
  let timesMade = 0;
  const made = (context?: Record<string, unknown>) =>
    synthesizeIfChanged({ outDir, ...(context && { context }) }, () => timesMade++);

  expect((await made()).template).toEqual(first.template);
  expect(timesMade).toBe(0);

  const other = await made({ retentionDays: 60, 'aws:cdk:bundling-stacks': [] });
  expect(timesMade).toBe(1);
  expect(JSON.stringify(other.template)).not.toBe(JSON.stringify(first.template));
});
