import { expect, test } from 'vitest';
import { synthesizeIfChanged } from '../../../local/stack/synthesize.ts';
import { temporaryFolder } from '../../temporary.ts';

test('the stack is synthesized once for the same sources and settings, and anew for others', async () => {
  const outDir = temporaryFolder();
  let timesMade = 0;
  const made = (context: Record<string, unknown>) =>
    synthesizeIfChanged({ outDir, context: { ...context, 'aws:cdk:bundling-stacks': [] } }, () => timesMade++);

  const first = await made({ retentionDays: 30 });
  expect(timesMade).toBe(1);
  expect(await made({ retentionDays: 30 })).toEqual(first);
  expect(timesMade).toBe(1);

  const other = await made({ retentionDays: 60 });
  expect(timesMade).toBe(2);
  expect(JSON.stringify(other.template)).not.toBe(JSON.stringify(first.template));
});
