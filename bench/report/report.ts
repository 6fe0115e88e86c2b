/** Writes docs/performance.md and its chart. */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { burstsTable } from '../paper/bursts.ts';
import { costTable, scaleTable } from '../paper/scale.ts';
import type { Figure } from '../support/figure.ts';
import { chart } from './chart.ts';
import { markdownTable } from './table.ts';

const PAGE = new URL('../../docs/performance.md', import.meta.url);
const CHART = new URL('../../docs/performance.svg', import.meta.url);

/** Writes the figures of a whole run into the chart and the page, with the arithmetic. */
export async function writeReport(figures: readonly Figure[], runs: number): Promise<void> {
  await writeFile(CHART, chart(figures));
  const measurements = `${machine(runs)}\n\n${markdownTable(figures)}`;
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

/** Replaces each part between `<!-- name -->` and `<!-- end of name -->`. */
function withParts(page: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((text, [name, part]) => {
    const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from === -1 || to < from) throw new Error(`Cannot write ${name} into the page: its two marks are not there`);
    return text.slice(0, from + begin.length) + part + text.slice(to);
  }, page);
}

function machine(runs: number): string {
  const [first] = cpus();
  const parts = [
    first?.model.trim() ?? 'unknown CPU',
    `${cpus().length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `${type()} ${release()}`,
    `Node ${process.version.slice(1)}`,
    new Date().toISOString().slice(0, 10),
  ];
  return `${parts.join(', ')}. Medians of ${runs} interleaved runs, in brackets the least and the most.`;
}
