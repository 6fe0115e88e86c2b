/** Reads an index `byDay`, newest first, its partitions merged. */
import { type DynamoDBDocumentClient, QueryCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { DAY_PARTITIONS } from './keys.ts';

/** An index `byDay`: its sort key, and what else tells its rows apart. */
export interface DayIndex {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  readonly time: 'sentAt' | 'occurredAt';
  readonly keys: readonly string[];
}

/** A position in the index: a day, and how far each of its partitions was read. */
export interface DayCursor {
  readonly day: string;
  readonly partitions: Position[];
}

export interface DayQuery {
  /** ISO 8601; without them from a day ahead, because clocks differ, back to wherever there are rows. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly cursor?: DayCursor | undefined;
  readonly limit: number;
  /** Limits on the rows that are read and on the days. */
  readonly maxRead?: number;
  readonly maxDays?: number;
  readonly keep?: (row: Row) => boolean;
}

/** Rows, newest first. It goes on at `cursor`, if there is one: `back` is up to where it looked. */
export interface DayPage {
  readonly rows: Row[];
  readonly cursor?: DayCursor;
  readonly back: string;
}

const DAY_MS = 86_400_000;
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** Merges the partitions of each day, from the newest day on, and reads no more than is asked for. */
export async function newestFirst(index: DayIndex, query: DayQuery): Promise<DayPage> {
  const { from, limit, maxRead = 3_000, maxDays = 31, keep = () => true } = query;
  const to = query.to ?? new Date(Date.now() + DAY_MS).toISOString();
  // Rows are spread by a hash: three standard deviations more than its share of them is nearly always enough.
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
      const empty = partitions.filter((partition) => partition.isEmpty);
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

/** An index with fewer rows is read by one scan, which costs less than to query the partitions of some days. */
const WHOLE_MAX_ROWS = 300;
/** The tables with larger indexes, by client. They are not scanned again. */
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

/** One partition of a day, read some rows at a time. */
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

  /** Whether the next page must be read to know its next row. */
  get isEmpty(): boolean {
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
