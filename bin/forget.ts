/** `npm run forget`: exports and erases everything about one person. */
import { writeFile } from 'node:fs/promises';
import { parseAddresses } from '../lambda/mail/address.ts';
import { ownPartOf, PERSONAL_TABLES, type PersonalTable } from '../lambda/recipients/erasure.ts';
import { erase, findPersonalRows, keyOf, type PersonalRow } from '../lambda/recipients/forget.ts';
import { mailboxKeys } from '../lambda/recipients/lookup.ts';
import { counted } from '../local/counted.ts';
import { isErrorWithCode } from '../local/files.ts';
import { runCommand } from './support/command.ts';
import { OUTPUTS_OPTION, readOutputs } from './support/outputs.ts';
import { tablesOf } from './support/stack-tables.ts';

const NAMES: Readonly<Record<PersonalTable, string>> = { mail: 'Mail', sentLog: 'SentLog', bounce: 'Bounce' };
const ROWS_PER_LINE = 50_000;
const ERASED_PER_LINE = 500;
/** How many rows are listed by their keys, for a person to look at. */
const MAX_NAMED = 20;

/** The same list as in docs/security.md, "One person's data". */
const REMAINS = [
  'What remains, and for how long:',
  '  - point-in-time recovery of the three tables: 35 days',
  '  - the streams of the three tables: 1 day',
  '  - EventQueue: events that are not recorded yet, usually for seconds, at most 14 days; FailureQueue: at most 14 days',
  '  - logs: they contain no address of a recipient',
  '  - what the provider keeps, such as its suppression lists; and what you exported or backed up yourself',
  'A later post of a provider can bring a row back. SendGrid repeats posts for a day, and a bounce or a complaint may come days later: run this command again in a week.',
  'A hard bounce, a complaint or a decision in the erased rows no longer suppresses the address: it can get mail again.',
];

await runCommand(
  {
    command: 'npm run forget',
    does: 'exports and erases all data about one person in Mail, SentLog and Bounce; without --yes it only reports',
    argument: 'ADDRESS',
    options: {
      outputs: OUTPUTS_OPTION,
      export: {
        default: '',
        help: 'a new file for all data about the person, as JSON; written before anything is erased',
      },
      yes: { default: false, help: 'erases the data', safeWithout: true },
    },
  },
  async (options, text) => {
    const [address, ...others] = parseAddresses(text);
    if (address === undefined || others.length > 0) throw new Error('Cannot forget: give one address');
    const keys = mailboxKeys(address.email);
    const tables = tablesOf(await readOutputs(options.outputs));
    console.log('Reading all rows of Mail, SentLog and Bounce. You can interrupt this command, and run it again.');
    const rows = await findPersonalRows(tables, keys, progressOfReading());
    report(rows, options.yes);
    if (options.export !== '') await exportTo(options.export, address.email, rows, keys);
    const toErase = rows.filter(({ erasure }) => erasure.kind !== 'mention');
    if (options.yes) await eraseAll();
    else if (toErase.length > 0)
      console.log('Nothing was changed. To erase the data, add --yes to this command, after the --.');
    console.log(`\n${REMAINS.join('\n')}`);

    async function eraseAll(): Promise<void> {
      const changed = await erase(tables, toErase, (done) => {
        if (done % ERASED_PER_LINE === 0) console.log(`… ${done} of ${counted(toErase.length, 'row')} erased`);
      });
      console.log(`Erased: ${counted(toErase.length - changed, 'row')}.`);
      if (changed === 0) return;
      throw new Error(
        `Cannot erase ${counted(changed, 'row')}: somebody else changed the data in the meantime. Run the command again`,
      );
    }
  },
);

function progressOfReading() {
  const read = { mail: 0, sentLog: 0, bounce: 0 };
  return (table: PersonalTable, rows: number) => {
    const before = Math.floor(read[table] / ROWS_PER_LINE);
    read[table] += rows;
    if (Math.floor(read[table] / ROWS_PER_LINE) > before) {
      console.log(`… ${read[table].toLocaleString('en-US')} rows of ${NAMES[table]}`);
    }
  };
}

function report(rows: readonly PersonalRow[], yes: boolean): void {
  const would = yes ? 'to be ' : 'would be ';
  for (const table of PERSONAL_TABLES) {
    const of = (kind: string) => rows.filter((row) => row.table === table && row.erasure.kind === kind).length;
    const [deleted, updated] = [of('delete'), of('update')];
    const name = NAMES[table].padEnd(8);
    console.log(
      `  ${name} ${counted(deleted, 'row')} ${would}deleted; this person ${would}removed from ${counted(updated, 'row')} with several recipients`,
    );
  }
  const staying = rows.filter(({ stays }) => stays);
  if (staying.length === 0) return;
  console.log(
    `  The address stays in ${counted(staying.length, 'row')}, as the sender or in a text. Decide what to do with:`,
  );
  for (const row of staying.slice(0, MAX_NAMED)) {
    console.log(`    ${NAMES[row.table]} ${JSON.stringify(keyOf(row))}`);
  }
  if (staying.length > MAX_NAMED) console.log(`    and ${staying.length - MAX_NAMED} more`);
}

/** Exports only this person's part of each row: the rest may be about other people. */
async function exportTo(file: string, address: string, rows: readonly PersonalRow[], keys: readonly string[]) {
  const own = rows.filter(({ erasure }) => erasure.kind !== 'mention');
  const ofTables = PERSONAL_TABLES.map((table) => [
    NAMES[table],
    own.filter((row) => row.table === table).map(({ row }) => ownPartOf(row, keys)),
  ]);
  const content = { address, exportedAt: new Date().toISOString(), ...Object.fromEntries(ofTables) };
  const text = JSON.stringify(content, (_, value) => (value instanceof Set ? [...value] : value), 2);
  try {
    // Never overwrites a file: after an interrupted erasure, fewer rows are left to export.
    await writeFile(file, `${text}\n`, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if (!isErrorWithCode(cause, 'EEXIST')) throw cause;
    throw new Error(`Cannot export to ${file}: the file exists already. Nothing was erased`, { cause });
  }
  console.log(`Exported ${counted(own.length, 'row')} to ${file}.`);
}
