/** `npm run find`: says what became of the mail to an address, or of one mail. */
import { runCommand } from './support/command.ts';
import { find } from './support/find/find.ts';
import { answerJson, answerText } from './support/find/text.ts';
import { OUTPUTS_OPTION, readOutputs } from './support/outputs.ts';
import { tablesOf } from './support/stack-tables.ts';
import { wholeNumber } from './support/whole-number.ts';

await runCommand(
  {
    command: 'npm run find',
    does: 'says what became of the mail to an address, or of one mail by its message id or its item id',
    argument: 'ADDRESS|ID',
    options: {
      outputs: OUTPUTS_OPTION,
      limit: { default: '20', help: 'shows at most so many messages to an address' },
      json: { default: false, help: 'prints JSON' },
    },
  },
  async (options, text) => {
    const limit = wholeNumber('limit', options.limit, { min: 1, max: 10_000 });
    const outputs = await readOutputs(options.outputs);
    const nowMs = Date.now();
    const answer = await find(tablesOf(outputs), text, { limit, nowMs });
    console.log(options.json ? answerJson(answer) : answerText(text, answer, nowMs));
  },
);
