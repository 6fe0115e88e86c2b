/** Writes results and page. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { readJsonFile, toJson } from '../../local/files.ts';
import { burstsTable } from '../paper/bursts.ts';
import { costTable, scaleTable } from '../paper/scale.ts';
import { figureSchema } from '../support/figure.ts';
import { chart } from './chart.ts';
import { machineSchema } from './machine.ts';
import { markdownTable } from './table.ts';

const RESULTS = fileURLToPath(new URL('../results.json', import.meta.url));
const PAGE = new URL('../../docs/performance.md', import.meta.url);
const CHART = new URL('../../docs/performance.svg', import.meta.url);

const resultsSchema = z.object({
  machine: machineSchema,
  figures: z.array(figureSchema),
});
type Results = Readonly<z.infer<typeof resultsSchema>>;

/** Writes the results, and what the docs show of them. */
export async function writeReport(results: Results): Promise<void> {
  await writeFile(RESULTS, toJson(results));
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
  const results = await readJsonFile(RESULTS, resultsSchema);
  if (results === undefined) throw new Error(`Cannot read the last results: there is no ${RESULTS}`);
  return results;
}

/** A page with the part between `<!-- name -->` and `<!-- end of name -->` written anew. */
function withPart(page: string, name: string, part: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- end of ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`Cannot write ${name} into the page: its two marks are not there`);
  return page.slice(0, from + begin.length) + part + page.slice(to);
}
