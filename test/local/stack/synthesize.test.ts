import { expect, test } from 'vitest';
import { readAssembly, synthesizeIfChanged } from '../../../local/stack/synthesize.ts';
import { assemblyDir } from '../../prepared.ts';

test('the stack is synthesized once for the same sources and settings, and anew for others', async () => {
  const outDir = await assemblyDir();
  const first = await readAssembly(outDir);
  // In place of the seconds that it takes. What other settings make of the stack: test/end-to-end/one-provider.test.ts.
  const anew = () => {
    throw new Error('anew');
  };
  expect(await synthesizeIfChanged({ outDir }, anew)).toEqual(first);
  await expect(synthesizeIfChanged({ outDir, context: { retentionDays: 60 } }, anew)).rejects.toThrow('anew');
});
