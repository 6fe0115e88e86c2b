import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAssembly } from '../../local/stack/synthesize.ts';
import { assemblyDir } from '../prepared.ts';
import { isAsItMustBe } from './expected-rows.ts';
import { WITHOUT } from './guards.ts';
import { playRandomSending } from './random-sending.ts';
import { playEach } from './recording.ts';
import { type SenderRig, type Senders, startSenders } from './sender-rig.ts';
import { casesOfLetter, playSending, type SendingOutcome } from './sending.ts';
import { LETTER_NAMES, type SendingCase, sampleOfSending } from './sending-cases.ts';
import { sendingVerdict } from './sending-verdict.ts';
import { withStorage } from './with-storage.ts';

/** Each rig starts two processes, and each of these takes CPU time to start. */
const RIGS = 2;

const storage = withStorage();
let senders: Senders | undefined;
let rigs: readonly SenderRig[] = [];
beforeAll(async () => {
  const started = await startSenders(await readAssembly(await assemblyDir()), storage());
  senders = started;
  rigs = await Promise.all(Array.from({ length: RIGS }, () => started.rig()));
});
afterAll(() => senders?.close());

/** The outcomes that are wrong, and why. */
async function troublesOf(outcomes: readonly SendingOutcome[]) {
  if (!senders) throw new Error('The sender is there only while the tests run');
  const rows = await senders.rows();
  return outcomes
    .map(({ label, mails, crashes }) => ({ label, verdict: sendingVerdict(mails, rows, crashes) }))
    .filter(({ verdict }) => !isAsItMustBe(verdict));
}

describe('a mail is handed over once and logged, and its item becomes sent or failed,', () => {
  // Plays a sample. `npm run torture` plays all cases.
  test('although calls fail and the process is killed', async () => {
    const [rig] = rigs;
    const all: SendingCase[] = [];
    for (const letter of LETTER_NAMES) if (rig) all.push(...(await casesOfLetter(letter, rig)));
    const cases = sampleOfSending(all);
    expect(cases.length).toBeGreaterThan(50);
    expect(await troublesOf(await playEach(cases, rigs, playSending))).toEqual([]);
  });

  test('in random schedules', async () => {
    const seeds = Array.from({ length: 2 }, (_, n) => n);
    expect(await troublesOf(await playEach(seeds, rigs, playRandomSending))).toEqual([]);
  });
});

test('without the claim, a mail is handed over twice', async () => {
  const rig = rigs.slice(0, 1);
  for (const { proxy } of rig) proxy.rewrite = WITHOUT.claim;
  const troubles = await troublesOf(await playEach([0], rig, playRandomSending));
  for (const { proxy } of rig) proxy.rewrite = WITHOUT.none;
  expect(troubles.flatMap(({ verdict }) => verdict.doubled)).not.toEqual([]);
});
