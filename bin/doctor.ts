/** `npm run doctor`: checks a stack, and says what to fix. */
import { openAnswers, WEBHOOK_KEY } from './support/answers.ts';
import { runCommand } from './support/command.ts';
import { DOCTOR_OPTIONS, runDoctor } from './support/doctor/doctor.ts';
import { OUTPUTS_OPTION, readStack } from './support/outputs.ts';
import { heading } from './support/terminal.ts';
import { wholeNumber } from './support/whole-number.ts';

await runCommand(
  {
    command: 'npm run doctor',
    does: 'checks a stack: one line per check, and what to do if a check fails',
    options: {
      outputs: OUTPUTS_OPTION,
      ...DOCTOR_OPTIONS,
      stdin: { default: false, help: `reads ${WEBHOOK_KEY} from stdin, as a line NAME=value` },
    },
    environment: {
      [WEBHOOK_KEY]:
        'a SendGrid key that may edit webhooks. With it, the doctor checks the webhook settings at SendGrid and has a test posted',
    },
  },
  async (options) => {
    const days = wholeNumber('days', options.days, { max: 90 });
    const stack = await readStack(options.outputs);
    const webhookKey = (await openAnswers(options.stdin)).given(WEBHOOK_KEY);
    console.log(`${heading(`Todoke, the stack ${stack.name}`)}\n`);
    const well = await runDoctor(stack, { webhookKey, days });
    if (!well) process.exitCode = 1;
  },
);
