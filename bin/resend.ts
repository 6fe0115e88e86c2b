/** `npm run resend`: finds the mails that are stuck, and sends them again. */
import { type DynamoDBDocumentClient, GetCommand, paginateScan } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../lambda/aws/dynamodb.ts';
import { sendAgain } from '../lambda/sending/send-again.ts';
import { whyStuck } from '../lambda/sending/stuck.ts';
import { counted } from '../local/counted.ts';
import { runCommand } from './support/command.ts';
import { OUTPUTS_OPTION, readOutputs } from './support/outputs.ts';
import { documentClientOf } from './support/tables.ts';

await runCommand(
  {
    command: 'npm run resend',
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
    const client = documentClientOf(outputs);
    const nowMs = Date.now();
    const counts = { looked: 0, stuck: 0, again: 0 };
    for await (const item of items(client, outputs.MailTableName, options.id)) {
      counts.looked++;
      const why = whyStuck(item, nowMs);
      if (why === undefined && options.id !== '') {
        console.log(
          `${options.id} is ${String(item['status'] ?? 'waiting')}: to send it again all the same, delete its status`,
        );
      }
      if (why === undefined || !String(item['error'] ?? '').includes(options.error)) continue;
      counts.stuck++;
      console.log(`${String(item['id'])}: ${why}${item['error'] ? `: ${String(item['error'])}` : ''}`);
      if (!options['dry-run'] && (await sendAgain(client, outputs.MailTableName, item, nowMs))) counts.again++;
    }
    if (options.id !== '' && counts.looked === 0) {
      throw new Error(`Cannot send ${options.id} again: ${outputs.MailTableName} has no item with this id`);
    }
    console.log(
      `Looked at ${counted(counts.looked, 'item')} of ${outputs.MailTableName}: ${counts.stuck} stuck, ${counts.again} sent again.`,
    );
    if (options['dry-run'] && counts.stuck > 0)
      console.log('Nothing was changed. --all, --id or --error without --dry-run sends them.');
  },
);

/** All of them, or the one with this id. */
async function* items(client: DynamoDBDocumentClient, TableName: string, id: string): AsyncIterable<Row> {
  if (id !== '') {
    const { Item } = await client.send(new GetCommand({ TableName, Key: { id }, ConsistentRead: true }));
    if (Item) yield Item;
    return;
  }
  for await (const page of paginateScan({ client }, { TableName, ConsistentRead: true })) yield* page.Items ?? [];
}
