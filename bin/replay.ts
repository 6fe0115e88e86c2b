/** `npm run replay`: tries again to understand unrecognized Bounce rows, and to join unmatched ones. */
import { DeleteCommand, type DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../lambda/aws/dynamodb.ts';
import { forEachConcurrently } from '../lambda/aws/for-each-concurrently.ts';
import { isConditionFailure } from '../lambda/aws/update.ts';
import type { MailEvent } from '../lambda/mail/event.ts';
import { providerOf } from '../lambda/mail/provider.ts';
import { PROVIDER_EVENTS } from '../lambda/providers/events.ts';
import type { EventStore } from '../lambda/recording/event-store.ts';
import { joinUnmatched } from '../lambda/recording/join-unmatched.ts';
import { recordEvents } from '../lambda/recording/record-events.ts';
import { counted } from '../local/counted.ts';
import { jsonOrUndefined } from '../local/json.ts';
import { runCommand } from './support/command.ts';
import { OUTPUTS_OPTION, readOutputs } from './support/outputs.ts';
import { documentClientOf } from './support/stack-tables.ts';
import { sentenceOf } from './support/terminal.ts';

await runCommand(
  {
    command: 'npm run replay',
    does: 'reads unrecognized Bounce rows again with the current code, and looks again for the log rows of unmatched ones',
    options: {
      outputs: OUTPUTS_OPTION,
      'dry-run': { default: false, help: 'only shows what would be done' },
    },
  },
  async (options) => {
    const outputs = await readOutputs(options.outputs);
    const timeZone = outputs.CustomersMailCloudTimeZone;
    if (timeZone === undefined) {
      throw new Error(
        'Cannot replay: the outputs have no CustomersMailCloudTimeZone. They are from an older version: deploy again',
      );
    }
    const client = documentClientOf(outputs);
    const store = { client, sentLogTable: outputs.SentLogTableName, bounceTable: outputs.BounceTableName };
    const counts = {
      looked: 0,
      recognized: 0,
      stillUnrecognized: 0,
      notWhole: 0,
      joined: 0,
      stillUnmatched: 0,
      failed: 0,
    };
    const onError = ({ fullMessageId, eventId }: Row, error: unknown) => {
      counts.failed++;
      console.log(`CANNOT replay ${JSON.stringify({ fullMessageId, eventId })}: ${sentenceOf(error)}`);
    };
    for await (const rows of pages(client, outputs.BounceTableName)) {
      counts.looked += rows.length;
      const unrecognized = rows.filter((row) => row['outcome'] === 'unrecognized');
      const unmatched = rows.filter((row) => row['outcome'] !== 'unrecognized');
      const recognized = await replayUnrecognized(unrecognized, {
        store,
        timeZone,
        dryRun: options['dry-run'],
        onError,
      });
      const joined = await joinUnmatched(unmatched, store, { dryRun: options['dry-run'], onError });
      counts.recognized += recognized;
      counts.stillUnrecognized += unrecognized.length - recognized;
      counts.notWhole += unrecognized.filter((row) => rawEventOf(row) === undefined).length;
      counts.joined += joined;
      counts.stillUnmatched += unmatched.length - joined;
      if (counts.looked > rows.length) console.log(`… ${counted(counts.looked, 'row')}`);
    }
    console.log(`Looked at ${counted(counts.looked, 'unrecognized or unmatched row')} of ${outputs.BounceTableName}.`);
    const done = options['dry-run'] ? 'would now be' : 'now';
    console.log(`  ${counts.recognized} ${done} recognized, ${counts.stillUnrecognized} still unrecognized`);
    if (counts.notWhole > 0) {
      console.log(
        `    ${counts.notWhole} of the unrecognized rows cannot be replayed, because the whole event was not kept. A person must read them`,
      );
    }
    console.log(
      `  ${counts.joined} ${done} joined with a log row, ${counts.stillUnmatched} still without a log row in SentLog`,
    );
    if (options['dry-run']) console.log('Nothing was changed. Without --dry-run, the rows are changed.');
    if (counts.failed > 0) {
      throw new Error(`Cannot replay ${counted(counts.failed, 'row')}: the lines with CANNOT say which, and why`);
    }
  },
);

async function* pages(client: DynamoDBDocumentClient, table: string): AsyncIterable<Row[]> {
  const scan = paginateScan(
    { client },
    {
      TableName: table,
      ConsistentRead: true,
      FilterExpression: '#matched = :false',
      ExpressionAttributeNames: { '#matched': 'matched' },
      ExpressionAttributeValues: { ':false': false },
    },
  );
  for await (const page of scan) yield page.Items ?? [];
}

interface Replay {
  readonly store: EventStore;
  readonly timeZone: string;
  readonly dryRun: boolean;
  readonly onError: (row: Row, error: unknown) => void;
}

/** Records the events of the rows that are understood now, and deletes these rows. @returns how many they are */
async function replayUnrecognized(rows: Row[], { store, timeZone, dryRun, onError }: Replay): Promise<number> {
  let understood = 0;
  await forEachConcurrently(rows, async (row) => {
    try {
      const events = eventsOf(row, timeZone);
      if (events.length === 0 || events.some(({ kind }) => kind === 'unrecognized')) return;
      if (!dryRun) {
        const receivedAtMs = Date.parse(String(row['receivedAt']));
        await recordEvents([{ events, receivedAtMs }], retentionDaysOf(row), store, AbortSignal.timeout(60_000));
        await removeUnrecognized(row, store);
      }
      understood++;
    } catch (error) {
      onError(row, error);
    }
  });
  return understood;
}

function eventsOf(row: Row, timeZone: string): MailEvent[] {
  const raw = rawEventOf(row);
  if (raw === undefined) return [];
  const { ofRawEvent, normalize } = PROVIDER_EVENTS[providerOf(row)];
  return ofRawEvent(raw).map((event) => normalize(event, timeZone));
}

/**
 * The event as the provider sent it. Undefined if it was shortened, or if `rawEvent` holds a row that DynamoDB refused: a
 * row is not an event, although it has the fields of one.
 */
function rawEventOf(row: Row): unknown {
  const raw = jsonOrUndefined(String(row['rawEvent']));
  const isRow = typeof raw === 'object' && raw !== null && 'fullMessageId' in raw && 'eventId' in raw;
  return isRow ? undefined : raw;
}

/** The retention that the stack had when the row was written; 0 for no limit. */
function retentionDaysOf(row: Row): number {
  if (typeof row['expiresAt'] !== 'number') return 0;
  return Math.round((row['expiresAt'] - Date.parse(String(row['receivedAt'])) / 1000) / 86_400);
}

/** Deletes the row, unless its event was recorded under the same key and has replaced it. */
async function removeUnrecognized({ fullMessageId, eventId }: Row, store: EventStore): Promise<void> {
  try {
    await store.client.send(
      new DeleteCommand({
        TableName: store.bounceTable,
        Key: { fullMessageId, eventId },
        ConditionExpression: '#outcome = :unrecognized',
        ExpressionAttributeNames: { '#outcome': 'outcome' },
        ExpressionAttributeValues: { ':unrecognized': 'unrecognized' },
      }),
    );
  } catch (error) {
    if (!isConditionFailure(error)) throw error;
  }
}
