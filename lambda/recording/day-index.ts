/** Reads rows by an index `byDay`, newest first. A day has several partitions, which are merged. */
import { type DynamoDBDocumentClient, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { DAY_PARTITIONS } from './keys.ts';

/** An index `byDay` of a table. */
export interface DayIndex {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  /** The index's sort key. */
  readonly time: 'sentAt' | 'occurredAt';
  /** The table's key attributes. */
  readonly keys: readonly string[];
}

/** A position in the index: a day, and the position in each of its partitions. */
export interface DayCursor {
  readonly day: string;
  readonly partitions: Position[];
}

export interface DayQuery {
  /** The earliest time; ISO 8601. No limit if left out. */
  readonly from?: string | undefined;
  /** The latest time; ISO 8601. If left out, a day from now, because clocks differ. */
  readonly to?: string | undefined;
  readonly cursor?: DayCursor | undefined;
  readonly limit: number;
  /** How many rows are read at most. */
  readonly maxRead?: number;
  /** How many days are read at most. */
  readonly maxDays?: number;
  /** Whether a row is returned; every row if left out. */
  readonly keep?: (row: Row) => boolean;
}

export interface DayPage {
  /** Newest first. */
  readonly rows: Row[];
  /** The position of the older rows; undefined if all were read. */
  readonly cursor?: DayCursor;
  /** The time back to which rows were read; ISO 8601. */
  readonly back: string;
}

const DAY_MS = 86_400_000;
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** Reads a page of rows, newest first: day by day, and only as many rows as needed. */
export async function newestFirst(index: DayIndex, query: DayQuery): Promise<DayPage> {
  const { from, limit, maxRead = 3_000, maxDays = 31, keep = () => true } = query;
  const to = query.to ?? new Date(Date.now() + DAY_MS).toISOString();
  // A hash spreads the rows. Three standard deviations more than the share of a partition are nearly always enough.
  const share = limit / DAY_PARTITIONS;
  const size = Math.ceil(share + 3 * Math.sqrt(share));
  const whole = await readWhole(index);
  const started = query.cursor;
  const rows: Row[] = [];
  let day = started?.day ?? to.slice(0, 10);
  let read = 0;
  for (let days = 0; days < maxDays; days++) {
    if (from !== undefined && day < from.slice(0, 10)) return { rows, back: from };
    const positions = day === started?.day ? started.partitions : [];
    const partitions = Array.from(
      { length: DAY_PARTITIONS },
      (_, n) => new Partition(index, `${day}#${n}`, { from, to, size }, positions[n] ?? null, whole),
    );
    for (;;) {
      const empty = partitions.filter((partition) => partition.needsFill);
      if (empty.length > 0) await Promise.all(empty.map((partition) => partition.fill()));
      const next = newest(partitions, index.time);
      if (next === undefined) break;
      const row = next.take();
      read++;
      if (keep(row)) rows.push(row);
      if (rows.length >= limit || read >= maxRead) {
        return {
          rows,
          back: String(row[index.time]),
          cursor: { day, partitions: partitions.map(({ position }) => position) },
        };
      }
    }
    day = dayOf(Date.parse(day) - DAY_MS);
  }
  const done = from !== undefined && day < from.slice(0, 10);
  return {
    rows,
    back: `${dayOf(Date.parse(day) + DAY_MS)}T00:00:00.000Z`,
    ...(!done && { cursor: { day, partitions: [] } }),
  };
}

/** An index with fewer rows is read by one scan. That costs less than a query of each partition of some days. */
const WHOLE_MAX_ROWS = 300;
/** The tables whose index is larger, by client. Their index is not scanned again. */
const large = new WeakMap<DynamoDBDocumentClient, Set<string>>();

/** The rows of a small index, newest first; undefined if it is larger. */
async function readWhole({ client, table, time, keys }: DayIndex): Promise<Row[] | undefined> {
  const known = large.get(client) ?? new Set();
  if (known.has(table)) return undefined;
  const scan = new ScanCommand({ TableName: table, IndexName: 'byDay', Limit: WHOLE_MAX_ROWS });
  const { Items = [], LastEvaluatedKey } = await client.send(scan);
  if (LastEvaluatedKey !== undefined) {
    large.set(client, known.add(table));
    return undefined;
  }
  const order = (row: Row) => [time, ...keys].map((name) => String(row[name])).join(' ');
  return Items.toSorted((a, b) => (order(a) < order(b) ? 1 : -1));
}

function newest(partitions: readonly Partition[], time: string): Partition | undefined {
  let found: Partition | undefined;
  for (const partition of partitions) {
    if (partition.head && (!found?.head || String(partition.head[time]) > String(found.head[time]))) found = partition;
  }
  return found;
}

type Position = Record<string, string> | 'end' | null;

interface Bounds {
  readonly from: string | undefined;
  readonly to: string;
  readonly size: number;
}

/** One partition of a day. It is read in pages. */
class Partition {
  position: Position;
  #ended: boolean;
  #waiting: Row[] = [];
  readonly #index: DayIndex;
  readonly #day: string;
  readonly #bounds: Bounds;
  readonly #whole: readonly Row[] | undefined;

  constructor(index: DayIndex, day: string, bounds: Bounds, position: Position, whole: readonly Row[] | undefined) {
    this.#index = index;
    this.#day = day;
    this.#bounds = bounds;
    this.#whole = whole;
    this.position = position;
    this.#ended = position === 'end';
  }

  get head(): Row | undefined {
    return this.#waiting[0];
  }

  /** Whether the next page must be read before the next row is known. */
  get needsFill(): boolean {
    return this.#waiting.length === 0 && !this.#ended;
  }

  async fill(): Promise<void> {
    if (this.#whole) this.#fillFrom(this.#whole);
    else await this.#query();
    if (this.#ended && this.#waiting.length === 0) this.position = 'end';
  }

  #fillFrom(whole: readonly Row[]): void {
    const { from = '0', to } = this.#bounds;
    const { time, keys } = this.#index;
    const ofDay = whole.filter((row) => row['day'] === this.#day);
    const position = typeof this.position === 'object' ? this.position : null;
    const last = ofDay.findIndex((row) => keys.every((name) => String(row[name]) === position?.[name]));
    this.#waiting = ofDay.slice(last + 1).filter((row) => {
      const at = String(row[time]);
      return at >= from && at <= to && (last >= 0 || position === null || at < String(position[time]));
    });
    this.#ended = true;
  }

  async #query(): Promise<void> {
    const { client, table, time } = this.#index;
    const { from = '0', to, size } = this.#bounds;
    const { Items = [], LastEvaluatedKey } = await client.send(
      new QueryCommand({
        TableName: table,
        IndexName: 'byDay',
        KeyConditionExpression: '#day = :day AND #time BETWEEN :from AND :to',
        ExpressionAttributeNames: { '#day': 'day', '#time': time },
        ExpressionAttributeValues: { ':day': this.#day, ':from': from, ':to': to },
        ScanIndexForward: false,
        Limit: size,
        ...(this.position !== null && this.position !== 'end' && { ExclusiveStartKey: this.position }),
      }),
    );
    this.#waiting = Items;
    this.#ended = LastEvaluatedKey === undefined;
  }

  take(): Row {
    const row = this.#waiting.shift();
    if (row === undefined) throw new Error('Cannot take a row: none is waiting');
    const { keys, time } = this.#index;
    this.position =
      this.#ended && this.#waiting.length === 0
        ? 'end'
        : Object.fromEntries(['day', time, ...keys].map((name) => [name, String(row[name])]));
    return row;
  }
}
