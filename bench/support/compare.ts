/** Two sides that are compared in one process, without any request. */
import * as z from 'zod';
import type { Bench } from './bench.ts';

/** A post with the secret that accepts it, and what to do with it. */
export interface Comparison {
  readonly what: 'normalize SendGrid' | 'normalize Customers Mail Cloud' | 'verify';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly secret: string;
  readonly runs: number;
  /** How often each side is repeated in one run. */
  readonly repeat: { readonly ours: number; readonly theirs: number };
}

const compared = z.object({ ours: z.array(z.number()), theirs: z.array(z.number()) });
/** CPU microseconds of one repetition, a number for each run. */
export type Compared = z.infer<typeof compared>;

export async function compare(bench: Bench, comparison: Comparison): Promise<Compared> {
  const running = await bench.start(await bench.bundled('support/in-one-process'));
  const { results } = await running.invoke(comparison);
  await running.stop();
  return compared.parse(results[0]);
}
