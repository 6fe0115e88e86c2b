/** Reads all rows of one mail. */
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod/mini';
import { batchGet, type Row } from '../aws/dynamodb.ts';
import { OUTCOMES } from '../mail/verdict.ts';
import { LOG_ROW_ENTRY } from '../recording/entries.ts';
import { queryPartition, type Tables } from './tables.ts';

const TIMEOUT_MS = 15_000;
const STORY_EVENTS = 4_000;

/** A text of a row. A value of another type counts as missing, because other programs write rows, too. */
const text = z.catch(z.optional(z.string()), undefined);

/** An event, as SentLog has it. */
const eventRow = z.looseObject({
  entry: z.string(),
  state: z.catch(z.string(), ''),
  recipient: text,
  reason: text,
  provider: text,
  fullMessageId: text,
  eventId: text,
});
export type EventRow = z.infer<typeof eventRow>;

/** All rows of one mail. */
export interface Story {
  /** The log row, if the mail was logged. */
  readonly log?: Row | undefined;
  /** The item of the Mail table, if it is there. */
  readonly item?: Row | undefined;
  readonly events: readonly EventRow[];
  /** The Bounce rows of the failures. */
  readonly bounces: readonly Row[];
  /** Whether there are more events than were read. */
  readonly more: boolean;
}

/** Reads all that is known of one mail, by its message id or its item's id: at most 4,000 events. */
export async function readStory(
  tables: Tables,
  asked: { readonly messageId?: string | undefined; readonly id?: string | undefined },
): Promise<Story> {
  const { client } = tables;
  const get = async (TableName: string, Key: Row) => (await client.send(new GetCommand({ TableName, Key }))).Item;
  const itemOf = async (id: unknown) => (typeof id === 'string' && id !== '' ? get(tables.mail, { id }) : undefined);
  let item: Row | undefined = await itemOf(asked.id);
  const messageId = asked.messageId ?? textOf(item?.['messageId']) ?? '';
  // A request of its own for the log row, because it sorts after the events, and not all events may be read.
  const [{ rows, more }, log] = await Promise.all([
    queryPartition(client, tables.sentLog, ['messageId', messageId], STORY_EVENTS),
    messageId ? get(tables.sentLog, { messageId, entry: LOG_ROW_ENTRY }) : undefined,
  ]);
  item ??= await itemOf(log?.['mailId']);
  const events = eventsIn(rows);
  const bounces = await readBounces(tables, failuresIn(events));
  // A message that was left unsent because all its recipients are suppressed has no log row.
  if (!log) item ??= await itemOf(bounces[0]?.['mailId']);
  return { log, item, events, bounces, more };
}

/** The events among rows of SentLog. */
export const eventsIn = (rows: readonly Row[]): EventRow[] =>
  rows.filter((row) => row['entry'] !== LOG_ROW_ENTRY).map((row) => eventRow.parse(row));

/** The key of a row of Bounce. */
interface BounceKey {
  readonly fullMessageId: string;
  readonly eventId: string;
}

/** The keys of the Bounce rows of the failures among events, each once. */
export function failuresIn(events: readonly EventRow[]): BounceKey[] {
  const keys = new Map<string, BounceKey>();
  for (const { state, fullMessageId, eventId } of events) {
    if (!fullMessageId || !eventId || !OUTCOMES.some((outcome) => outcome === state)) continue;
    keys.set(bounceKeyOf({ fullMessageId, eventId }), { fullMessageId, eventId });
  }
  return [...keys.values()];
}

/** The key of a Bounce row as one text. The event in the story gives the same text. */
export const bounceKeyOf = (row: { readonly fullMessageId?: unknown; readonly eventId?: unknown }): string =>
  JSON.stringify([row.fullMessageId, row.eventId]);

/** Reads rows of Bounce. The keys must all differ. */
export function readBounces(tables: Tables, keys: readonly BounceKey[]): Promise<Row[]> {
  const wanted = keys.map(({ fullMessageId, eventId }) => ({ fullMessageId, eventId }));
  return batchGet(tables.client, tables.bounce, wanted, {
    consistent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

/** Reads the log rows of mails. The message ids must all differ. */
export function readLogRows(tables: Tables, messageIds: readonly string[]): Promise<Row[]> {
  const keys = messageIds.map((messageId) => ({ messageId, entry: LOG_ROW_ENTRY }));
  return batchGet(tables.client, tables.sentLog, keys, {
    consistent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
