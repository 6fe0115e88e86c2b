/** The doctor: every check, a line each. */
import type { Stack } from '../outputs.ts';
import { MalformedSecret } from '../secrets.ts';
import { bad, faint, good, sentenceOf } from '../talk.ts';
import { alarmCheck } from './alarms.ts';
import { consoleChecks } from './console.ts';
import { type DoctorOptions, patientOf } from './patient.ts';
import { queueChecks } from './queues.ts';
import { noNewsCheck, rowCheck, stuckCheck } from './rows.ts';
import { secretChecks } from './secrets.ts';
import { sendGridWebhookCheck, testPostCheck } from './sendgrid-webhook.ts';
import { streamCheck } from './streams.ts';
import { tableChecks } from './tables.ts';
import { type Check, mend, ok, skipped, type Verdict } from './verdict.ts';
import { webhookChecks } from './webhooks.ts';

export const DOCTOR_OPTIONS = {
  days: { default: '3', help: 'how many days back Bounce rows are looked at; 0: not at all' },
} as const;

const MARKS = { ok: good('ok  '), skipped: faint('skip'), mend: bad('MEND') };

/**
 * Looks at a whole stack, a line a check, and leaves no trace in it but a few lines in its logs.
 *
 * @returns whether there is nothing to mend
 */
export async function runDoctor(stack: Stack, options: DoctorOptions): Promise<boolean> {
  const patient = patientOf(stack, options);
  const outputs = {
    name: 'outputs',
    look: async () => ok(`of the stack ${stack.name}${patient.local ? ', in local mode' : ''}`),
  };
  // In groups: what can be looked at at one time, and after it what needs it to be at rest.
  const groups: Check[][] = [
    [outputs, ...tableChecks(patient), ...secretChecks(patient)],
    [...webhookChecks(patient), ...consoleChecks(patient)],
    [sendGridWebhookCheck(patient)],
    [testPostCheck(patient)],
    [
      streamCheck(patient),
      ...queueChecks(patient),
      rowCheck(patient),
      noNewsCheck(patient),
      stuckCheck(patient),
      alarmCheck(patient),
    ],
  ];
  const counts = { ok: 0, skipped: 0, mend: 0 };
  for (const group of groups) {
    const verdicts = group.map(async ({ name, look }) => ({ name, verdict: await look().catch(failed) }));
    for (const looked of verdicts) {
      const { name, verdict } = await looked;
      counts[verdict.state]++;
      console.log(`  ${MARKS[verdict.state]}  ${name}: ${verdict.says}`);
    }
  }
  console.log(
    counts.mend === 0
      ? `\nAll is well (${counts.ok} ok, ${counts.skipped} skipped).`
      : `\n${counts.mend} to mend (${counts.ok} ok, ${counts.skipped} skipped). docs/operations.md#set-up has a line on each.`,
  );
  return counts.mend === 0;
}

function failed(error: unknown): Verdict {
  if (error instanceof MalformedSecret)
    return skipped('needs a secret that is malformed; the line on secrets says which');
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : '';
  return mend(`cannot look: ${name}${sentenceOf(error)}`);
}
