/** `npm run doctor`: checks a stack, and says what to fix. */
import { openAnswers, WEBHOOK_KEY } from './support/answers.ts';
import { runCommand } from './support/command.ts';
import { DOCTOR_OPTIONS, runDoctor } from './support/doctor/doctor.ts';
import { OUTPUTS_OPTION, readStack } from './support/outputs.ts';
import { heading } from './support/talk.ts';
import { wholeNumber } from './support/whole-number.ts';

await runCommand(
  {
    command: 'npm run doctor',
    does: 'says whether all is well with a stack, a line each, and what to do where it is not',
    options: {
      outputs: OUTPUTS_OPTION,
      ...DOCTOR_OPTIONS,
      stdin: { default: false, help: 'reads the secret from stdin, as a line NAME=value' },
    },
    environment: { [WEBHOOK_KEY]: 'a key that may edit webhooks: with it SendGrid is asked, and posts a test' },
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
