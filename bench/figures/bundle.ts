/** Figure: bytes of the bundles. */
import type { Bench } from '../support/bench.ts';
import { bundleBytes } from '../support/bundles.ts';
import { type Figure, figure } from '../support/figure.ts';

/** KB here is 1,000 bytes, the stricter reading. */
export const BUNDLE_GOALS_BYTES = {
  ReceiveSendGrid: 420_000,
  ReceiveCustomersMailCloud: 420_000,
  SendMail: 900_000,
} as const;

export async function bundle(bench: Bench): Promise<Figure[]> {
  const sizes = await Promise.all(
    Object.entries(BUNDLE_GOALS_BYTES).map(async ([name, goal]) => ({
      name,
      goal,
      bytes: await bundleBytes(bench.stack, name),
    })),
  );
  return [
    figure({
      name: 'bundle',
      samples: [Math.max(...sizes.filter(({ goal }) => goal === 420_000).map(({ bytes }) => bytes / 1000))],
      unit: 'KB, the larger receiver',
      goal: { atMost: 420 },
      goalText: 'receivers ≤ 420, sender ≤ 900',
      also: sizes.every(({ bytes, goal }) => bytes <= goal),
      detail: sizes.map(({ name, bytes }) => `${name} ${(bytes / 1000).toFixed(1)} KB`).join(', '),
    }),
  ];
}
