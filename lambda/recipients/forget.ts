/** Finds all rows about a person, and erases them. */
import { DeleteCommand, paginateScan, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import { isConditionFailure, updateExpression } from '../aws/update.ts';
import { type Erasure, erased, erasureOf, mentions, PERSONAL_TABLES, type PersonalTable } from './erasure.ts';
import type { Tables } from './tables.ts';

/** A row about the person. */
export interface PersonalRow {
  readonly table: PersonalTable;
  readonly row: Row;
  readonly erasure: Erasure;
  /** Whether the address is still in the row after its erasure: as the sender, or in a text. */
  readonly stays: boolean;
}

const KEYS: Readonly<Record<PersonalTable, readonly string[]>> = {
  mail: ['id'],
  sentLog: ['messageId', 'entry'],
  bounce: ['fullMessageId', 'eventId'],
};

export const keyOf = ({ table, row }: Pick<PersonalRow, 'table' | 'row'>): Row =>
  Object.fromEntries(KEYS[table].map((name) => [name, row[name]]));

/** How many parts of a table are read at the same time. */
const SEGMENTS = 4;

/**
 * Reads all rows of all three tables, because an erasure must be complete: no index finds items, unrecognized events,
 * and log rows without events by their recipient.
 *
 * @param keys every form of the person's address; see mailboxKeys
 * @param progress is called after each page of 1 MB
 */
export async function findPersonalRows(
  tables: Tables,
  keys: readonly string[],
  progress: (table: PersonalTable, rows: number) => void,
): Promise<PersonalRow[]> {
  const found: PersonalRow[] = [];
  for (const table of PERSONAL_TABLES) {
    const segments = Array.from({ length: SEGMENTS }, (_, segment) => segment);
    await forEachConcurrently(segments, async (Segment) => {
      const scan = paginateScan(
        { client: tables.client },
        { TableName: tables[table], ConsistentRead: true, Segment, TotalSegments: SEGMENTS },
      );
      for await (const { Items = [] } of scan) {
        found.push(...personalRowsIn(table, Items, keys));
        progress(table, Items.length);
      }
    });
  }
  return found;
}

/** The position from which the next page is read. */
export interface ForgetPosition {
  readonly table: PersonalTable;
  /** The last key that was read; undefined at the beginning of the table. */
  readonly key?: Row | undefined;
}

/** Like findPersonalRows, but reads one page of 1 MB, for a caller that cannot wait for all pages. */
export async function findPersonalPage(
  tables: Tables,
  keys: readonly string[],
  { table, key }: ForgetPosition,
): Promise<{ rows: PersonalRow[]; read: number; next: ForgetPosition | undefined }> {
  const { Items = [], LastEvaluatedKey } = await tables.client.send(
    new ScanCommand({ TableName: tables[table], ConsistentRead: true, ...(key && { ExclusiveStartKey: { ...key } }) }),
  );
  const following = PERSONAL_TABLES[PERSONAL_TABLES.indexOf(table) + 1];
  const next = LastEvaluatedKey ? { table, key: LastEvaluatedKey } : following && { table: following };
  return { rows: personalRowsIn(table, Items, keys), read: Items.length, next };
}

function personalRowsIn(table: PersonalTable, rows: readonly Row[], keys: readonly string[]): PersonalRow[] {
  return rows.flatMap((row) => {
    const erasure = erasureOf(table, row, keys);
    return erasure ? [{ table, row, erasure, stays: staysIn(row, erasure, keys) }] : [];
  });
}

function staysIn(row: Row, erasure: Erasure, keys: readonly string[]): boolean {
  if (erasure.kind === 'delete') return false;
  return mentions(erasure.kind === 'update' ? erased(row, erasure.set) : row, keys);
}

/**
 * Erases rows: deletes them, or removes the person from them. A row whose recipients changed since it was found stays
 * as it is. To erase the same rows again changes nothing.
 *
 * @param progress is called after each row, with the number of rows that are done
 * @returns how many rows were changed by somebody else meanwhile
 */
export async function erase(
  tables: Tables,
  rows: readonly PersonalRow[],
  progress: (done: number) => void,
): Promise<number> {
  let done = 0;
  let changed = 0;
  await forEachConcurrently(rows, async (personal) => {
    try {
      await eraseRow(tables, personal);
    } catch (error) {
      if (!isConditionFailure(error)) throw error;
      changed++;
    }
    progress(++done);
  });
  return changed;
}

async function eraseRow(tables: Tables, { table, row, erasure }: PersonalRow): Promise<void> {
  const target = { TableName: tables[table], Key: keyOf({ table, row }) };
  // The row must still have the same recipients.
  const fields = ['to', 'cc', 'bcc'].filter((name) => row[name] !== undefined);
  const condition = {
    condition: ['attribute_exists(#key)', ...fields.map((name) => `#${name} = :${name}`)].join(' AND '),
    names: fields,
    values: Object.fromEntries(fields.map((name) => [name, row[name]])),
  };
  const [key = ''] = KEYS[table];
  if (erasure.kind === 'update') {
    const { ExpressionAttributeNames, ...expression } = updateExpression({
      set: erasure.set,
      remove: Object.keys(erasure.set).filter((name) => erasure.set[name] === undefined),
      ...condition,
    });
    const names = { ...ExpressionAttributeNames, '#key': key };
    await tables.client.send(new UpdateCommand({ ...target, ...expression, ExpressionAttributeNames: names }));
  } else if (erasure.kind === 'delete') {
    await tables.client.send(
      new DeleteCommand({
        ...target,
        ...(fields.length > 0 && {
          ConditionExpression: condition.condition,
          ExpressionAttributeNames: { '#key': key, ...Object.fromEntries(fields.map((name) => [`#${name}`, name])) },
          ExpressionAttributeValues: Object.fromEntries(fields.map((name) => [`:${name}`, row[name]])),
        }),
      }),
    );
  }
}
