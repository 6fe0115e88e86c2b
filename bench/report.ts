/** Shows the figures, and writes docs/performance.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { burstsTable } from './paper/bursts.ts';
import { markdown } from './paper/markdown.ts';
import { costTable, scaleTable } from './paper/scale.ts';
import type { Figure } from './support/figure.ts';

const PAGE = new URL('../docs/performance.md', import.meta.url);

/** Writes the figures of a whole run into the page, with the arithmetic. */
export async function writeReport(figures: readonly Figure[], runs: number): Promise<void> {
  const rows = figures.map(({ name, unit, goal, detail, ...range }) => {
    const verdict = goal ? (goal.met ? 'met' : '**missed**') : '';
    return [name, `**${valueText(range)}** ${unit}`, goal?.text ?? '—', verdict, detail];
  });
  const measurements = `${machine(runs)}\n\n${markdown(['', 'figure', 'goal', '', 'details'], rows)}`;
  await writeFile(PAGE, withParts(withArithmetic(await readPage()), { measurements }));
}

/** Writes only the arithmetic. */
export async function writeArithmetic(): Promise<void> {
  await writeFile(PAGE, withArithmetic(await readPage()));
}

export function readPage(): Promise<string> {
  return readFile(PAGE, 'utf8');
}

/** The page with the tables that need no measurement. */
export function withArithmetic(page: string): string {
  return withParts(page, { scale: scaleTable(), cost: costTable(), bursts: burstsTable() });
}

/** The figures for a terminal. */
export function terminalTable(figures: readonly Figure[]): string {
  const lines = figures.map(({ name, unit, goal, detail, ...range }) => {
    const verdict = goal ? `${goal.met ? 'met' : 'MISSED'}  (goal ${goal.text})` : 'no goal';
    return `${name}: ${valueText(range)} ${unit}  ${verdict}\n    ${detail}`;
  });
  return lines.join('\n');
}

/** The median, and the minimum and the maximum if they differ. */
function valueText({ value, min, max }: Pick<Figure, 'value' | 'min' | 'max'>): string {
  return min === max ? String(value) : `${value} (${min} to ${max})`;
}

/** Replaces each part between `<!-- name -->` and `<!-- end of name -->`. */
function withParts(page: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((text, [name, part]) => {
    const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from === -1 || to < from)
      throw new Error(`Cannot write ${name} into the page: the page does not have its two markers`);
    return text.slice(0, from + begin.length) + part + text.slice(to);
  }, page);
}

function machine(runs: number): string {
  const parts = [
    cpus()[0]?.model.trim() ?? 'unknown CPU',
    `${cpus().length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `${type()} ${release()}`,
    `Node ${process.version.slice(1)}`,
    new Date().toISOString().slice(0, 10),
  ];
  return `${parts.join(', ')}. Medians of ${runs} interleaved runs, in brackets the minimum and the maximum.`;
}
