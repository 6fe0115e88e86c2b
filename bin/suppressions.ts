/** `npm run suppressions`: shows which addresses are suppressed, suppresses addresses, and allows them again. */
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseAddresses } from '../lambda/mail/address.ts';
import { type Decision, decide } from '../lambda/recipients/decision.ts';
import { mailboxKeys } from '../lambda/recipients/lookup.ts';
import { readSuppression } from '../lambda/recipients/read-suppression.ts';
import { type Suppressed, suppressedText } from '../lambda/recipients/suppression.ts';
import type { Tables } from '../lambda/recipients/tables.ts';
import { counted } from '../local/counted.ts';
import { isErrorWithCode, messageOf } from '../local/files.ts';
import { runCommand } from './support/command.ts';
import { plain } from './support/find/sentence.ts';
import { OUTPUTS_OPTION, readOutputs } from './support/outputs.ts';
import { tablesOf } from './support/stack-tables.ts';
import { csvLine } from './support/suppressions/csv.ts';
import { csvEntries, importEntries } from './support/suppressions/import.ts';
import { readSuppressedAddresses } from './support/suppressions/list.ts';

/** The exit code of `check` for an address that gets no mail. */
const SUPPRESSED = 3;
const ROWS_PER_LINE = 50_000;
const IMPORTED_PER_LINE = 10_000;
/** How many bad lines are printed one by one. */
const MAX_NAMED = 20;
const COLUMNS = ['email', 'created', 'reason', 'by'] as const;

const stateText = (email: string, suppressed: Suppressed | null): string =>
  `${email}: ${suppressed ? plain(suppressedText(suppressed)) : 'not suppressed'}`;

/** An apostrophe keeps spreadsheets from running a text as a formula. A reason comes from a mail server. */
const noFormula = (text: string) => (/^\s*[=+\-@|%]/.test(text) ? `'${text}` : text);

const addresses = (count: number) => `${count} ${count === 1 ? 'address' : 'addresses'}`;

type Action = (tables: Tables, given: string, options: { reason: string; json: boolean }) => Promise<void>;
const ACTIONS: Readonly<Record<string, Action>> = {
  async check(tables, given, { json }) {
    const email = addressIn(given);
    const suppressed = await readSuppression(tables, mailboxKeys(email));
    console.log(json ? JSON.stringify({ email, suppressed }, null, 2) : stateText(email, suppressed));
    if (suppressed) process.exitCode = SUPPRESSED;
  },
  add: (tables, given, { reason }) => decideOn(tables, { email: addressIn(given), outcome: 'suppressed', reason }),
  remove: (tables, given, { reason }) => decideOn(tables, { email: addressIn(given), outcome: 'allowed', reason }),
  async list(tables, _, { json }) {
    const suppressed = await readSuppressedAddresses(tables, progressOfReading(json ? console.error : console.log));
    if (json) console.log(JSON.stringify(suppressed, null, 2));
    else {
      for (const { email, ...why } of suppressed) console.log(stateText(email, why));
      console.log(`${addresses(suppressed.length)}.`);
    }
  },
  async import(tables, file) {
    const bad = { lines: 0 };
    const chunks = createReadStream(file, 'utf8');
    const written = await importEntries(
      tables,
      csvEntries(chunks),
      ({ line, why }) => {
        if (++bad.lines <= MAX_NAMED) console.log(`line ${line}: ${why}`);
      },
      progressBy(IMPORTED_PER_LINE, (done) => `… ${done} addresses written`),
    ).catch((cause: unknown) => {
      throw new Error(`Cannot import ${file}: ${messageOf(cause)}`, { cause });
    });
    console.log(`Imported: ${addresses(written)}.`);
    if (bad.lines === 0) return;
    const named = bad.lines > MAX_NAMED ? `; the first ${MAX_NAMED} are named above` : ', named above';
    throw new Error(`Cannot import ${counted(bad.lines, 'line')}${named}. All others were imported`);
  },
  async export(tables, file) {
    const suppressed = await readSuppressedAddresses(tables, progressOfReading(console.log));
    const lines = suppressed.map(({ email, since, reason, by }) => csvLine([email, since, noFormula(reason), by]));
    try {
      await pipeline(
        Readable.from([csvLine(COLUMNS), ...lines]),
        createWriteStream(file, { flags: 'wx', mode: 0o600 }),
      );
    } catch (cause) {
      if (!isErrorWithCode(cause, 'EEXIST')) throw cause;
      throw new Error(`Cannot export to ${file}: the file exists already`, { cause });
    }
    console.log(`Exported ${addresses(suppressed.length)} to ${file}.`);
  },
};

await runCommand(
  {
    command: 'npm run suppressions',
    does: `shows which addresses are suppressed, so that they get no mail, and changes that
  check ADDRESS   shows whether the address is suppressed: exit code ${SUPPRESSED} if it is, 0 if mail may be sent
  add ADDRESS     suppresses the address
  remove ADDRESS  allows the address again, until the next hard bounce or complaint
  list            shows all suppressed addresses
  import FILE     suppresses the addresses in a CSV file with the column email, and optionally reason and created
  export FILE     writes all suppressed addresses to a new CSV file`,
    argument: 'check|add|remove|list|import|export [ADDRESS|FILE]',
    options: {
      outputs: OUTPUTS_OPTION,
      reason: { default: '', help: 'the reason for add or remove' },
      json: { default: false, help: 'check and list print JSON' },
    },
  },
  async ({ outputs, reason, json }, argument) => {
    const [, action = '', given = ''] = /^(\S+)\s*(.*)$/s.exec(argument) ?? [];
    const run = ACTIONS[action];
    if (run === undefined) {
      throw new Error(`Cannot run ${action}: there is no such action. Use one of ${Object.keys(ACTIONS).join(', ')}`);
    }
    const needsNothing = action === 'list';
    if (needsNothing === (given !== '')) {
      const needed = ['import', 'export'].includes(action) ? 'a file' : 'an address';
      throw new Error(needsNothing ? 'Cannot list one address: use check' : `Cannot ${action}: give ${needed}`);
    }
    await run(tablesOf(await readOutputs(outputs)), given, { reason, json });
  },
);

async function decideOn(tables: Tables, decision: Omit<Decision, 'atMs'>): Promise<void> {
  const { before } = await decide(tables, { ...decision, atMs: Date.now() });
  const { email, outcome } = decision;
  const was = before ? suppressedText(before) : 'not suppressed';
  console.log(
    `${email} ${outcome === 'allowed' ? 'gets mail again' : 'gets no more mail'}. Before, it was ${plain(was)}.`,
  );
}

function addressIn(text: string): string {
  const [address, ...others] = parseAddresses(text);
  if (address === undefined || others.length > 0) throw new Error(`Cannot use ${text}: give one address`);
  return address.email;
}

function progressOfReading(print: (line: string) => void) {
  let read = 0;
  const progress = progressBy(ROWS_PER_LINE, (rows) => `… ${rows} rows of Bounce`, print);
  return (rows: number) => {
    read += rows;
    progress(read);
  };
}

/** Prints a line when `done` has passed another multiple of `step`. */
function progressBy(step: number, text: (done: string) => string, print: (line: string) => void = console.log) {
  let lines = 0;
  return (done: number) => {
    if (Math.floor(done / step) <= lines) return;
    lines = Math.floor(done / step);
    print(text(done.toLocaleString('en-US')));
  };
}
