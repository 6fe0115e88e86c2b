/** Imports a list of addresses, with a decision to suppress each of them. */
import { batchPut, type Put } from '../../../lambda/aws/dynamodb.ts';
import { parseAddresses } from '../../../lambda/mail/address.ts';
import { usableTimestamp } from '../../../lambda/mail/timestamp.ts';
import { decisionRow } from '../../../lambda/recipients/decision.ts';
import type { Tables } from '../../../lambda/recipients/tables.ts';
import { messageOf } from '../../../local/files.ts';
import { csvRecords } from './csv.ts';

/** An address of a list. */
export interface Entry {
  readonly email: string;
  readonly reason: string;
  /** As the list has it: Unix seconds, or a date. */
  readonly created: string;
}

/** A line that cannot be imported. */
export interface BadLine {
  readonly line: number;
  readonly why: string;
}

/**
 * The time of an entry without a date. It is older than every other row, so that the import overrides no decision to allow.
 * It is always the same, so that the same list makes the same rows.
 */
const UNDATED_MS = 0;

/** How many rows are written together. No more of a list is in memory. */
const ROWS_AT_ONCE = 500;
const TIMEOUT_MS = 120_000;

/**
 * Writes a decision to suppress for each address of a list. Doing it again writes the same rows.
 *
 * @param progress called after each batch with the number of rows that are written
 * @returns how many addresses were written
 */
export async function importEntries(
  { client, bounce }: Tables,
  entries: AsyncIterable<{ readonly line: number; readonly entry: Entry }>,
  onBadLine: (line: BadLine) => void,
  progress: (written: number) => void,
): Promise<number> {
  let written = 0;
  // A batch must not have a key twice.
  const batch = new Map<string, Put>();
  const write = async () => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const invalid = await batchPut(client, [...batch.values()], signal);
    if (invalid[0]) throw invalid[0].error;
    written += batch.size;
    batch.clear();
    progress(written);
  };
  for await (const { line, entry } of entries) {
    try {
      const row = rowOf(entry);
      batch.set(`${row['fullMessageId']} ${row['eventId']}`, { table: bounce, row });
    } catch (error) {
      onBadLine({ line, why: messageOf(error) });
    }
    if (batch.size === ROWS_AT_ONCE) await write();
  }
  if (batch.size > 0) await write();
  return written;
}

function rowOf({ email, reason, created }: Entry) {
  const [address, ...others] = parseAddresses(email);
  if (address === undefined || others.length > 0) throw new Error('email has no address, or more than one');
  return decisionRow({ email: address.email, outcome: 'suppressed', reason, atMs: timeOf(created.trim()) });
}

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?: ?(Z|UTC|[+-]\d\d:?\d\d))?)?$/;

/** Unix milliseconds. A date without a time zone is in UTC. */
function timeOf(created: string): number {
  if (created === '') return UNDATED_MS;
  const seconds = usableTimestamp(created);
  if (seconds !== undefined) return seconds * 1000;
  const [, day, time = '00:00:00', zone = 'Z'] = DATE.exec(created) ?? [];
  const ms = Date.parse(`${day}T${time}${zone === 'UTC' ? 'Z' : zone}`);
  if (Number.isNaN(ms)) throw new Error(`created is ${JSON.stringify(created.slice(0, 80))}, but must be a time`);
  return ms;
}

/**
 * The entries of a CSV file with the columns `email` and, if it has them, `reason` and `created`, in any order.
 *
 * @throws Error if it has no column `email`
 */
export async function* csvEntries(
  chunks: AsyncIterable<string>,
): AsyncIterable<{ readonly line: number; readonly entry: Entry }> {
  let columns: string[] | undefined;
  for await (const { line, cells } of csvRecords(chunks)) {
    if (columns === undefined) {
      columns = cells.map((cell) => cell.trim().toLowerCase());
      if (!columns.includes('email')) throw new Error('its first line has no column email');
      continue;
    }
    const names = columns;
    const cellOf = (name: string) => cells[names.indexOf(name)] ?? '';
    yield { line, entry: { email: cellOf('email'), reason: cellOf('reason'), created: cellOf('created') } };
  }
}
