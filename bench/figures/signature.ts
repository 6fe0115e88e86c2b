/** Figure: verifications of a signature. */
import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { type Figure, figure, median, ratios } from '../support/figure.ts';
import { bounces, SENDGRID_PUBLIC_KEY, signed } from '../support/posts.ts';

/** A post as SendGrid sends most of them. */
const EVENTS = 10;

export async function signature(bench: Bench): Promise<Figure[]> {
  const body = JSON.stringify(bounces({ tag: 's', count: EVENTS }));
  const { ours, theirs } = await compare(bench, {
    what: 'verify',
    headers: signed(body),
    body,
    secret: SENDGRID_PUBLIC_KEY,
    runs: bench.runs,
    repeat: { ours: 2_000, theirs: 40 },
  });
  const perSecond = (samples: readonly number[]) => Math.round(1e6 / median(samples)).toLocaleString('en-US');
  return [
    figure({
      name: 'signature',
      samples: ratios(theirs, ours),
      unit: "times the official helper's verifications a second",
      goal: { atLeast: 30 },
      detail: `${perSecond(ours)} a second, the helper ${perSecond(theirs)}; a post of ${EVENTS} events`,
    }),
  ];
}
