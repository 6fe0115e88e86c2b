/** `npm run resend`: finds the mails that are stuck, and sends them again. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../lambda/aws/dynamodb.ts';
import { forEachConcurrently } from '../lambda/aws/for-each-concurrently.ts';
import { sendAgain } from '../lambda/sending/send-again.ts';
import {
  isSuppressed,
  isWaiting,
  NORMAL_WAIT_MS,
  nextAttemptOf,
  oddStatusOf,
  whyStuck,
} from '../lambda/sending/stuck.ts';
import { counted } from '../local/counted.ts';
import { runCommand } from './support/command.ts';
import { type ItemPage, itemPages, readItem, stillWaiting } from './support/mail-items.ts';
import { OUTPUTS_OPTION, readOutputs } from './support/outputs.ts';
import { documentClientOf } from './support/stack-tables.ts';
import { sentenceOf } from './support/terminal.ts';
import { wholeNumber } from './support/whole-number.ts';

/** Interval of the progress lines. */
const PROGRESS_ITEMS = 100;

await runCommand(
  {
    command: 'npm run resend',
    does: 'sends again the items that failed, that were started but never finished, or that have had no status for a minute',
    options: {
      outputs: OUTPUTS_OPTION,
      id: { default: '', help: 'only the item with this id' },
      error: { default: '', help: 'only items whose error contains this text' },
      all: { default: false, help: 'all stuck items, except those whose recipients are all suppressed' },
      wait: {
        default: String(NORMAL_WAIT_MS / 1000),
        help: 'seconds after which an item without a status counts as stuck',
      },
      'dry-run': { default: false, help: 'only shows what would be sent' },
    },
  },
  async (options) => {
    const dryRun = options['dry-run'];
    if (!options.all && !dryRun && options.id === '' && options.error === '') {
      throw new Error(
        'Cannot send again: no items are chosen. Choose them with --id, --error or --all; --dry-run shows which items are stuck, and why',
      );
    }
    const waitMs = wholeNumber('wait', options.wait, { max: 3_600 }) * 1000;
    const outputs = await readOutputs(options.outputs);
    const table = outputs.MailTableName;
    const client = documentClientOf(outputs);
    const counts = { looked: 0, stuck: 0, again: 0, failed: 0, deferred: 0, odd: 0, suppressed: 0 };
    const isChosenByName = options.id !== '' || options.error !== '';

    const resend = (items: readonly { readonly item: Row; readonly why: string }[]) =>
      forEachConcurrently(items, async ({ item, why }) => {
        counts.stuck++;
        console.log(`${nameOf(item)}: ${why}${errorOf(item)}`);
        if (dryRun) return;
        try {
          if (await sendAgain(client, table, item, Date.now())) counts.again++;
        } catch (error) {
          counts.failed++;
          console.log(`${nameOf(item)}: CANNOT be sent again: ${sentenceOf(error)}`);
        }
        const done = counts.again + counts.failed;
        if (done > 0 && done % PROGRESS_ITEMS === 0) console.log(`… ${counts.again} sent again`);
      });

    const waiting: Row[] = [];
    for await (const { items, looked } of options.id === ''
      ? itemPages(client, table, { consistent: true })
      : oneItem(client, table, options.id)) {
      counts.looked += looked;
      const nowMs = Date.now();
      const chosen = items.filter((item) => String(item['error'] ?? '').includes(options.error));
      waiting.push(...chosen.filter(({ status }) => isWaiting(status)));
      for (const item of chosen) {
        const odd = oddStatusOf(item);
        const nextAttempt = nextAttemptOf(item, nowMs);
        if (odd !== undefined) {
          counts.odd++;
          console.log(`${nameOf(item)}: ${odd}, which Todoke never writes${errorOf(item)}`);
        } else if (nextAttempt !== undefined) {
          counts.deferred++;
          console.log(`${nameOf(item)}: next attempt at ${nextAttempt}${errorOf(item)}`);
        } else if (options.id !== '' && !isWaiting(item['status']) && whyStuck(item, nowMs) === undefined) {
          console.log(
            `${options.id} is ${String(item['status'])}: to send it again anyway, delete its attribute status`,
          );
        }
      }
      await resend(
        chosen.flatMap((item) => {
          if (!isChosenByName && isSuppressed(item)) {
            counts.suppressed++;
            return [];
          }
          const why = whyStuck(item, nowMs);
          return why === undefined ? [] : [{ item, why }];
        }),
      );
    }
    if (options.id !== '' && counts.looked === 0) {
      throw new Error(`Cannot send ${options.id} again: ${table} has no item with this id`);
    }
    if (waiting.length > 0) {
      console.log(
        `${counted(waiting.length, 'item')} without status. Looking again in ${counted(waitMs / 1000, 'second')} …`,
      );
      const still = await stillWaiting(client, table, waiting, waitMs);
      await resend(still.map((item) => ({ item, why: 'has no status' })));
    }

    console.log(
      `Looked at ${counted(counts.looked, 'item')} of ${table}: ${counts.stuck} stuck, ${counts.again} sent again.`,
    );
    if (counts.deferred > 0) console.log(`${counts.deferred} deferred: Todoke tries them again at the times above.`);
    if (counts.odd > 0) {
      console.log(
        `${counts.odd} with a status that Todoke never writes: not sent. To send one, delete its attribute status.`,
      );
    }
    if (counts.suppressed > 0) {
      console.log(
        `${counts.suppressed} left out, because all their recipients are suppressed. After you allow the recipients, send the items again with --error suppressed, or one item with --id.`,
      );
    }
    if (dryRun && counts.stuck > 0)
      console.log('Nothing was changed. --all, --id or --error without --dry-run sends the items again.');
    if (counts.failed > 0) {
      throw new Error(`Cannot send ${counted(counts.failed, 'item')} again: the lines with CANNOT say which, and why`);
    }
  },
);

function nameOf({ id }: Row): string {
  return String(id);
}

function errorOf({ error }: Row): string {
  return error ? `: ${String(error)}` : '';
}

async function* oneItem(client: DynamoDBDocumentClient, table: string, id: string): AsyncIterable<ItemPage> {
  const item = await readItem(client, table, id);
  yield { items: item ? [item] : [], looked: item ? 1 : 0, isLast: true };
}
