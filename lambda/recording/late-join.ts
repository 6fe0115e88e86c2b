/** The side of the join on which the log row comes last. */
import { QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod/mini';
import { isInvalidItem } from '../aws/dynamodb.ts';
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import { errorFields, log } from '../aws/log.ts';
import type { StreamRecord } from '../aws/stream-record.ts';
import { isConditionFailure, updateExpression } from '../aws/update.ts';
import { OUTCOMES } from '../mail/verdict.ts';
import { EVENT_ENTRY_PREFIX, LOG_ROW_ENTRY } from './entries.ts';
import type { EventStore } from './event-store.ts';
import { joinedAttributes, type LoggedMail, loggedMail, logRowDefaults } from './rows.ts';

/** A failure in a mail's story: where its Bounce row is. */
const storyFailureSchema = z.object({
  fullMessageId: z.string(),
  eventId: z.string(),
  recipient: z.optional(z.string()),
});
export type StoryFailure = z.infer<typeof storyFailureSchema>;

/**
 * Completes what was recorded of a mail before it was logged: gives the log row what its application left out, and joins
 * every failure in the story whose Bounce row is unmatched. Doing it again changes nothing.
 *
 * @throws whatever the SDK throws after its own retries
 */
export async function joinLateEvents(record: StreamRecord, retentionDays: number, store: EventStore): Promise<void> {
  const mail = loggedMail(record.row);
  await fillInLogRow(record, retentionDays, store);
  // Consistent: the recorder put the events into the story before it looked for this mail for the last time.
  const failures = await failuresInStory(mail.messageId, store);
  await forEachConcurrently(failures, (failure) => joinBounceRow(failure, mail, store));
}

async function fillInLogRow({ row, writtenAtMs }: StreamRecord, retentionDays: number, store: EventStore) {
  const sentAtMs = typeof row['sentAt'] === 'string' ? Date.parse(row['sentAt']) : Number.NaN;
  const messageId = String(row['messageId']);
  const defaults = logRowDefaults(messageId, Number.isNaN(sentAtMs) ? writtenAtMs : sentAtMs, retentionDays);
  const missing = Object.entries(defaults).filter(([name, value]) => value !== undefined && row[name] === undefined);
  if (missing.length === 0) return;
  await ifPossible(
    store.client.send(
      new UpdateCommand({
        TableName: store.sentLogTable,
        Key: { messageId, entry: LOG_ROW_ENTRY },
        ...updateExpression({
          set: Object.fromEntries(missing),
          condition: 'attribute_exists(#entry)',
          names: ['entry'],
        }),
      }),
    ),
  );
}

/** All failures in a mail's story, however long it is. */
export async function failuresInStory(messageId: string, store: EventStore): Promise<StoryFailure[]> {
  const failures: StoryFailure[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const page = await store.client.send(
      new QueryCommand({
        TableName: store.sentLogTable,
        ConsistentRead: true,
        KeyConditionExpression: '#messageId = :messageId AND begins_with(#entry, :prefix)',
        FilterExpression: `#state IN (${OUTCOMES.map((state) => `:${state}`).join(', ')})`,
        ExpressionAttributeNames: { '#messageId': 'messageId', '#entry': 'entry', '#state': 'state' },
        ExpressionAttributeValues: {
          ':messageId': messageId,
          ':prefix': EVENT_ENTRY_PREFIX,
          ...Object.fromEntries(OUTCOMES.map((state) => [`:${state}`, state])),
        },
        ExclusiveStartKey: start,
      }),
    );
    for (const row of page.Items ?? []) {
      const failure = storyFailureSchema.safeParse(row);
      if (failure.success) failures.push(failure.data);
    }
    start = page.LastEvaluatedKey;
  } while (start);
  return failures;
}

/**
 * Joins a Bounce row with its mail, unless it is joined already or not there.
 *
 * @param rejoined whether it was joined before
 */
export async function joinBounceRow(
  failure: StoryFailure,
  mail: LoggedMail,
  store: EventStore,
  rejoined = false,
): Promise<void> {
  await ifPossible(
    store.client.send(
      new UpdateCommand({
        TableName: store.bounceTable,
        Key: { fullMessageId: failure.fullMessageId, eventId: failure.eventId },
        ...updateExpression({
          set: { ...joinedAttributes(mail, failure.recipient), rejoined: rejoined || undefined },
          // Neither a row that is joined already, nor one that is not there: it will be put joined, or was deleted.
          condition: '#matched = :false',
          names: ['matched'],
          values: { false: false },
        }),
      }),
    ),
  );
}

async function ifPossible(update: Promise<unknown>): Promise<void> {
  try {
    await update;
  } catch (error) {
    if (isConditionFailure(error)) return;
    if (!isInvalidItem(error)) throw error;
    // It leaves no room for more, and trying again would hold up those behind it.
    log('error', 'Cannot complete a row: DynamoDB rejects it', errorFields(error));
  }
}
