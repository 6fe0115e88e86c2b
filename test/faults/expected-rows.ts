/** Derives the rows that must exist from the events and the logged mails, and compares them with the stored rows. */
import { isDeepStrictEqual } from 'node:util';
import type { Row } from '../../lambda/aws/dynamodb.ts';
import type { MailEvent } from '../../lambda/mail/event.ts';
import {
  blocklistedRow,
  bounceRow,
  loggedMail,
  logRowDefaults,
  storyRow,
  unrecognizedRow,
} from '../../lambda/recording/rows.ts';
import { RETENTION_DAYS, type RefusalRows, SENT_AT } from './posts.ts';
import type { StoredRow } from './storage.ts';

export interface Facts {
  readonly events: readonly MailEvent[];
  /** Log rows as they were written. The late join has processed all of them. */
  readonly logRows: readonly Row[];
  readonly refusals?: readonly RefusalRows[];
  /** When each copy of the post was received, in Unix milliseconds. Any of these times may be in the stored rows. */
  readonly receivedAtMs: readonly number[];
}

interface Expected extends StoredRow {
  /** The row that each copy of the post would leave. Any of them is right. */
  readonly candidates: readonly Row[];
  readonly optional: boolean;
}

/** Each text names the rows concerned. */
export interface Verdict {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly wrong: readonly string[];
}

export function verdictOf(facts: Facts, stored: readonly StoredRow[]): Verdict {
  const expected = expectedRows(facts);
  const found = new Map(stored.map((storedRow) => [keyOf(storedRow), storedRow.row]));
  const required = [...expected].filter(([, { optional }]) => !optional);
  return {
    lost: required.filter(([key]) => !found.has(key)).map(([key]) => key),
    doubled: [...found.keys()].filter((key) => !expected.has(key)),
    wrong: [...expected].flatMap(([key, { candidates }]) => {
      const row = found.get(key);
      if (row === undefined || candidates.some((candidate) => isDeepStrictEqual(row, candidate))) return [];
      return [`${key}: ${differences(row, candidates[0] ?? {})}`];
    }),
  };
}

export function isAsItMustBe({ lost, doubled, wrong }: Verdict): boolean {
  return lost.length + doubled.length + wrong.length === 0;
}

function expectedRows(facts: Facts): Map<string, Expected> {
  const { events, logRows, refusals = [], receivedAtMs } = facts;
  const mails = new Map(logRows.map((row) => [String(row['messageId']), loggedMail(row)]));
  const times = receivedAtMs.map((atMs) => ({ receivedAtMs: atMs, retentionDays: RETENTION_DAYS }));
  const rows: Omit<Expected, 'row'>[] = [];
  const expect = (table: StoredRow['table'], candidates: readonly Row[], optional = false) =>
    rows.push({ table, candidates: candidates.map(asStored), optional });

  for (const event of events) {
    if (event.kind === 'unrecognized') {
      expect(
        'Bounce',
        times.map((time) => unrecognizedRow(event, time)),
      );
    }
    if (event.kind === 'blocklisted') {
      expect(
        'Bounce',
        times.map((time) => blocklistedRow(event, time)),
      );
    }
    if (event.kind !== 'failure' && event.kind !== 'progress') continue;
    const mail = event.messageIds.flatMap((id) => mails.get(id) ?? [])[0];
    if (event.kind === 'failure') {
      expect(
        'Bounce',
        times.map((time) => bounceRow(event, mail, time)),
      );
    }
    for (const messageId of event.messageIds) {
      // An event may have two message ids. Its row under the second id exists only if it was recorded before its mail was known.
      const optional = mail !== undefined && mail.messageId !== messageId;
      expect(
        'SentLog',
        times.map((time) => storyRow(event, messageId, time)),
        optional,
      );
    }
  }
  for (const row of logRows) {
    expect('SentLog', [{ ...logRowDefaults(String(row['messageId']), SENT_AT * 1000, RETENTION_DAYS), ...row }]);
  }
  for (const { story, bounce } of refusals) {
    expect('SentLog', [story]);
    if (bounce) expect('Bounce', [bounce]);
  }
  return new Map(rows.map((row) => [keyOf({ ...row, row: row.candidates[0] ?? {} }), { ...row, row: {} }]));
}

function keyOf({ table, row }: StoredRow): string {
  return table === 'SentLog'
    ? `SentLog ${row['messageId']} ${row['entry']}`
    : `Bounce ${row['fullMessageId']} ${row['eventId']}`;
}

/** Removes undefined values, which are not stored. */
function asStored(row: Row): Row {
  return JSON.parse(JSON.stringify(row));
}

function differences(row: Row, expected: Row): string {
  return [...new Set([...Object.keys(row), ...Object.keys(expected)])]
    .filter((name) => !isDeepStrictEqual(row[name], expected[name]))
    .map((name) => `${name} is ${JSON.stringify(row[name])} instead of ${JSON.stringify(expected[name])}`)
    .join(', ');
}
