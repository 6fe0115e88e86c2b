import { describe, expect, test } from 'vitest';
import { isAsItMustBe } from './expected-rows.ts';
import type { FaultProxyOptions } from './fault-proxy.ts';
import { type Guard, WITHOUT } from './guards.ts';
import { type Cast, explore } from './interleavings.ts';
import { withStorage } from './with-storage.ts';

const storage = withStorage();
const RIGS = 4;

/** The schedules with a wrong result, and the number of all schedules. */
async function explored(cast: Cast, batches: FaultProxyOptions['batches'] = 'at once', guard: Guard = 'none') {
  const rigs = await Promise.all(Array.from({ length: RIGS }, () => storage().rig({ batches })));
  for (const { proxy } of rigs) proxy.rewrite = WITHOUT[guard];
  const { schedules, ends } = await explore(cast, rigs, storage());
  return { schedules, troubles: ends.filter(({ verdict }) => !isAsItMustBe(verdict)) };
}

describe('a failure is joined in every interleaving of recorder, logging and late join,', () => {
  test('when one of the three crashes', async () => {
    const { schedules, troubles } = await explored({ recorders: 1, logRow: 'whole', crashes: 1 });
    expect(schedules).toBeGreaterThan(2_000);
    expect(troubles).toEqual([]);
  });

  test('when the items of a batch take effect one by one, the last first', async () => {
    const { troubles } = await explored({ recorders: 1, logRow: 'whole', crashes: 0 }, 'backwards');
    expect(troubles).toEqual([]);
  });

  test('when an application logs the mail', async () => {
    const { troubles } = await explored({ recorders: 1, logRow: 'of an application', crashes: 0 });
    expect(troubles).toEqual([]);
  });
});

test('without the second lookup, some interleavings leave a failure unmatched', async () => {
  const { troubles } = await explored({ recorders: 1, logRow: 'whole', crashes: 0 }, 'at once', 'second-read');
  expect(troubles).not.toEqual([]);
});
