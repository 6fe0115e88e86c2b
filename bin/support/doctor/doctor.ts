/** The doctor: runs every check, and prints one line per check. */
import type { Stack } from '../outputs.ts';
import { MalformedSecret } from '../stack-secrets.ts';
import { bad, faint, good, sentenceOf } from '../terminal.ts';
import { alarmCheck } from './alarms.ts';
import { consoleChecks } from './console.ts';
import { type DoctorOptions, doctorContext } from './context.ts';
import { queueChecks } from './queues.ts';
import { noNewsCheck, rowCheck, stuckCheck } from './rows.ts';
import { secretChecks } from './secret-checks.ts';
import { sendGridWebhookCheck, testPostCheck } from './sendgrid-webhook.ts';
import { streamCheck } from './streams.ts';
import { tableChecks } from './table-checks.ts';
import { type Check, fix, ok, skipped, type Verdict } from './verdict.ts';
import { webhookChecks } from './webhooks.ts';

export const DOCTOR_OPTIONS = {
  days: { default: '3', help: 'how many days of Bounce rows to check; 0 skips this check' },
} as const;

const MARKS = { ok: good('ok  '), skipped: faint('skip'), fix: bad('FIX ') };

/**
 * Checks a whole stack, and prints one line per check. It leaves nothing in the stack except a few lines in its logs.
 *
 * @returns whether there is nothing to fix
 */
export async function runDoctor(stack: Stack, options: DoctorOptions): Promise<boolean> {
  const context = doctorContext(stack, options);
  const outputs = {
    name: 'outputs',
    look: async () => ok(`of the stack ${stack.name}${context.local ? ', in local mode' : ''}`),
  };
  // The checks of a group run at the same time. A group starts when the previous one has ended, so as not to count its posts.
  const groups: Check[][] = [
    [outputs, ...tableChecks(context), ...secretChecks(context)],
    [...webhookChecks(context), ...consoleChecks(context)],
    [sendGridWebhookCheck(context)],
    [testPostCheck(context)],
    [
      streamCheck(context),
      ...queueChecks(context),
      rowCheck(context),
      noNewsCheck(context),
      stuckCheck(context),
      alarmCheck(context),
    ],
  ];
  const counts = { ok: 0, skipped: 0, fix: 0 };
  for (const group of groups) {
    const verdicts = group.map(async ({ name, look }) => ({ name, verdict: await look().catch(failed) }));
    for (const looked of verdicts) {
      const { name, verdict } = await looked;
      counts[verdict.state]++;
      console.log(`  ${MARKS[verdict.state]}  ${name}: ${verdict.says}`);
    }
  }
  console.log(
    counts.fix === 0
      ? `\nAll is well (${counts.ok} ok, ${counts.skipped} skipped).`
      : `\n${counts.fix} to fix (${counts.ok} ok, ${counts.skipped} skipped). docs/operations.md#set-up explains each check.`,
  );
  return counts.fix === 0;
}

function failed(error: unknown): Verdict {
  if (error instanceof MalformedSecret)
    return skipped('needs a secret that is malformed; the line on secrets says which');
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : '';
  return fix(`cannot check this: ${name}${sentenceOf(error)}`);
}
