/** Writes results and page. */
import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { burstsTable } from '../paper/bursts.ts';
import { costTable, scaleTable } from '../paper/scale.ts';
import type { Figure } from '../support/figure.ts';
import { chart } from './chart.ts';
import { type Machine, machineSchema } from './machine.ts';
import { markdownTable } from './table.ts';

const RESULTS = new URL('../results.json', import.meta.url);
const PAGE = new URL('../../docs/performance.md', import.meta.url);
const CHART = new URL('../../docs/performance.svg', import.meta.url);

const resultsSchema = z.object({
  machine: machineSchema,
  figures: z.array(
    z.object({
      name: z.string(),
      value: z.number(),
      unit: z.string(),
      goal: z.string(),
      met: z.boolean(),
      min: z.number(),
      max: z.number(),
      detail: z.string(),
      ofGoal: z.number(),
    }),
  ),
});

export interface Results {
  readonly machine: Machine;
  readonly figures: readonly Figure[];
}

/** Writes the results, and what the docs show of them. */
export async function writeReport(results: Results): Promise<void> {
  await writeFile(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
  await writeFile(CHART, chart(results.figures));
  await writeFile(PAGE, pageWith(await readFile(PAGE, 'utf8'), results));
}

/** docs/performance.md with everything in it that is made by code made anew. */
export function pageWith(page: string, results: Results): string {
  const parts = {
    measurements: markdownTable(results),
    scale: scaleTable(),
    cost: costTable(),
    bursts: burstsTable(),
  };
  return Object.entries(parts).reduce((text, [name, part]) => withPart(text, name, part), page);
}

/** The results of the last whole run. */
export async function readResults(): Promise<Results> {
  return resultsSchema.parse(JSON.parse(await readFile(RESULTS, 'utf8')));
}

/** A page with the part between `<!-- name -->` and `<!-- end of name -->` written anew. */
function withPart(page: string, name: string, part: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- end of ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`Cannot write ${name} into the page: its two marks are not there`);
  return page.slice(0, from + begin.length) + part + page.slice(to);
}
