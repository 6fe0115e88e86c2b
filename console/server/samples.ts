/** Reads the sample posts. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { PROVIDERS } from '../../lambda/mail/provider.ts';
import { type Sample, sample } from '../shared/api.ts';

const samplesSchema = z.array(sample);

/** Posts as the providers document them, each with its source. */
export async function readSamples(): Promise<Sample[]> {
  const files = PROVIDERS.map((name) => new URL(`../samples/${name}.json`, import.meta.url));
  const lists = await Promise.all(files.map(async (file) => JSON.parse(await readFile(file, 'utf8'))));
  return lists.flatMap((list) => samplesSchema.parse(list));
}
