/** The late join: completes failures whose mail was logged after they were recorded. */
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

/** A failure in a mail's story, with the key of its Bounce row. */
const storyFailureSchema = z.object({
  fullMessageId: z.string(),
  eventId: z.string(),
  recipient: z.optional(z.string()),
});
export type StoryFailure = z.infer<typeof storyFailureSchema>;

/**
 * Completes a log row and the failures of its mail: adds the attributes that its application left out, and joins every
 * failure in the story whose Bounce row is unmatched. To do this again changes nothing.
 *
 * @throws the error of the SDK, after its own retries
 */
export async function joinLateEvents(record: StreamRecord, retentionDays: number, store: EventStore): Promise<void> {
  const mail = loggedMail(record.row);
  await fillInLogRow(record, retentionDays, store);
  // A consistent read finds every event that the recorder put before its last look for this mail.
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

/** Reads all failures in a mail's story, by consistent reads. */
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
 * Joins a Bounce row with its mail, unless the row is joined already or does not exist.
 *
 * @param rejoined whether the row was joined before
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
          // A row that does not exist was deleted, or the recorder will put it, already joined.
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
    // The row is too large for more attributes. A retry would fail, too, and delay the records behind it.
    log('error', 'Cannot complete a row: DynamoDB rejects it', errorFields(error));
  }
}
