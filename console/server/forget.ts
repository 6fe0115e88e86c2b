/** Finds and erases everything about one person, some pages of a table per call. */
import { PERSONAL_TABLES } from '../../lambda/recipients/erasure.ts';
import {
  erase,
  type ForgetPosition,
  findPersonalPage,
  keyOf,
  type PersonalRow,
} from '../../lambda/recipients/forget.ts';
import { mailboxKeys } from '../../lambda/recipients/lookup.ts';
import type { Tables } from '../../lambda/recipients/tables.ts';
import type { Answered, Asked } from '../shared/api.ts';

/** How long a call works. API Gateway waits for 30 s. */
const WORK_MS = 8_000;

/** Continues for some seconds from the position of the previous call. Without `erases` it only counts. */
export async function forget(
  tables: Tables,
  { email, erases, position }: Asked<'forget'>,
): Promise<Answered<'forget'>> {
  const keys = mailboxKeys(email);
  const endsAtMs = Date.now() + WORK_MS;
  const found: PersonalRow[] = [];
  let read = 0;
  let changed = 0;
  let next: ForgetPosition | undefined = position ?? { table: PERSONAL_TABLES[0] };
  do {
    const page = await findPersonalPage(tables, keys, next);
    const own = page.rows.filter(({ erasure }) => erasure.kind !== 'mention');
    if (erases) changed += await erase(tables, own, () => undefined);
    found.push(...page.rows);
    read += page.read;
    next = page.next;
  } while (next !== undefined && Date.now() < endsAtMs);
  return {
    read,
    rows: found.filter(({ erasure }) => erasure.kind !== 'mention').length,
    changed,
    stays: found.filter(({ stays }) => stays).map((row) => ({ table: row.table, key: JSON.stringify(keyOf(row)) })),
    ...(next && { position: { table: next.table, ...(next.key && { key: strings(next.key) }) } }),
  };
}

const strings = (key: object) => Object.fromEntries(Object.entries(key).map(([name, value]) => [name, String(value)]));
