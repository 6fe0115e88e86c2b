import { expect, test } from 'vitest';
import { readAssembly, synthesizeIfChanged } from '../../../local/stack/synthesize.ts';
import { assemblyDir } from '../../prepared.ts';

test('the stack is synthesized once for the same sources and settings, and again for others', async () => {
  const outDir = await assemblyDir();
  const first = await readAssembly(outDir);
  // Replaces the real synthesis, which takes seconds. test/end-to-end/one-provider.test.ts tests the effect of settings.
  const anew = () => {
    throw new Error('anew');
  };
  expect(await synthesizeIfChanged({ outDir }, anew)).toEqual(first);
  await expect(synthesizeIfChanged({ outDir, context: { retentionDays: 60 } }, anew)).rejects.toThrow('anew');
});
