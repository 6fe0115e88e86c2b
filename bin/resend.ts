/** `npm run resend`: finds the mails that are stuck, and sends them again. */
import { paginateScan } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../lambda/aws/tables.ts';
import { runCommand } from './support/command.ts';
import { OUTPUTS_OPTION, readOutputs } from './support/outputs.ts';
import { sendAgain } from './support/send-again.ts';
import { whyStuck } from './support/stuck.ts';
import { tablesOf } from './support/tables.ts';

await runCommand(
  {
    command: 'npm run resend --',
    does: 'sends again what failed, what was begun and never ended, and what has no status',
    options: {
      outputs: OUTPUTS_OPTION,
      id: { default: '', help: 'only the item with this id' },
      error: { default: '', help: 'only items whose error contains this text' },
      all: { default: false, help: 'all of them' },
      'dry-run': { default: false, help: 'only says what would be sent' },
    },
  },
  async (options) => {
    if (!options.all && !options['dry-run'] && options.id === '' && options.error === '') {
      throw new Error(
        'Cannot send again: say what, with --id, --error or --all. --dry-run shows what is stuck, and why',
      );
    }
    const outputs = await readOutputs(options.outputs);
    const client = tablesOf(outputs);
    const nowMs = Date.now();
    const counts = { looked: 0, stuck: 0, again: 0 };
    for await (const page of paginateScan({ client }, { TableName: outputs.MailTableName, ConsistentRead: true })) {
      for (const item of page.Items ?? []) {
        counts.looked++;
        const why = whyStuck(item, nowMs);
        if (why === undefined || !isWanted(item, options)) continue;
        counts.stuck++;
        console.log(`${String(item['id'])}: ${why}${item['error'] ? `: ${String(item['error'])}` : ''}`);
        if (!options['dry-run'] && (await sendAgain(client, outputs.MailTableName, item, nowMs))) counts.again++;
      }
    }
    console.log(
      `Looked at ${counts.looked} items of ${outputs.MailTableName}: ${counts.stuck} stuck, ${counts.again} sent again.`,
    );
    if (options['dry-run'] && counts.stuck > 0) console.log('Nothing was changed. Without --dry-run they are sent.');
  },
);

function isWanted(item: Row, { id, error }: { readonly id: string; readonly error: string }): boolean {
  return (id === '' || item['id'] === id) && (error === '' || String(item['error'] ?? '').includes(error));
}
