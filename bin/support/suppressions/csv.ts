/** Reads and writes CSV (RFC 4180), as SendGrid exports it and spreadsheets write it. */

/** A longer cell has a quotation mark that was never closed. */
const CELL_MAX_LENGTH = 100_000;

export interface CsvRecord {
  /** The number of its first line. */
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * The records of a file, one by one. Empty lines are skipped.
 *
 * @param chunks of the file's text
 * @throws Error if a quotation mark is never closed
 */
export async function* csvRecords(chunks: AsyncIterable<string>): AsyncIterable<CsvRecord> {
  let line = 1;
  let startedAt = 1;
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  let last = '';
  const unclosed = () => new Error(`Cannot read line ${startedAt}: a quotation mark is never closed`);
  for await (const chunk of chunks) {
    const ended: CsvRecord[] = [];
    for (const character of chunk) {
      // In a cell that does not begin with a quotation mark, a quotation mark is an ordinary character.
      const isMark = character === '"' && (quoted || cell === '' || last === '"');
      if (isMark) {
        // A doubled mark inside quotation marks is one mark.
        if (!quoted && last === '"') cell += '"';
        quoted = !quoted;
      } else if (!quoted && character === ',') {
        cells.push(cell);
        cell = '';
      } else if (!quoted && (character === '\n' || character === '\r')) {
        if (cell !== '' || cells.length > 0) ended.push({ line: startedAt, cells: [...cells, cell] });
        [cells, cell] = [[], ''];
        if (!(character === '\n' && last === '\r')) line++;
        startedAt = line;
      } else {
        if (character === '\n') line++;
        if (character !== '\ufeff' || line > 1 || cell !== '') cell += character;
        if (cell.length > CELL_MAX_LENGTH) throw unclosed();
      }
      last = character === '"' && (!isMark || (quoted && last === '"')) ? '' : character;
    }
    yield* ended;
  }
  if (quoted) throw unclosed();
  if (cell !== '' || cells.length > 0) yield { line: startedAt, cells: [...cells, cell] };
}

/** A record as a line. */
export const csvLine = (cells: readonly string[]): string =>
  `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\r\n`;
