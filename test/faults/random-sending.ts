/**
 * Random schedules of the sender. Several mails of both providers are delivered in overlapping batches, to two processes at one
 * time, while storage, providers and RetryQueue fail and processes are killed. This goes on until nothing waits; then everything
 * is delivered once more. A seed determines the schedule, but not the order of things that happen at the same time.
 */
import { pick, type Random, randomFrom } from '../fuzz/mutate.ts';
import { recordOf } from '../lambda/sending/sender-servers.ts';
import type { Plan } from './fault-proxy.ts';
import { newTag } from './posts.ts';
import { HANDOVER_FAULTS, type HandoverPlan } from './providers.ts';
import { batchesOf, type Delivery, type SenderRig } from './sender-rig.ts';
import { itemOf, refusalsByName, type SendingOutcome, trouble, watchOf } from './sending.ts';
import { LETTER_NAMES, type StorageTrouble } from './sending-cases.ts';

/** Without `hang`, which costs a request's whole timeout, and `refused item`, which needs an item that is too large. */
const STORAGE_TROUBLES: readonly StorageTrouble[] = ['throttle', 'error 500', 'reset', 'lost answer'];
const KILLED = ['killed before', 'killed after'] as const;
/** After this many faults nothing fails any more, so every schedule ends. */
const MAX_TROUBLES = 20;
const MAX_DELIVERIES = 30;

export async function playRandomSending(seed: number, rig: SenderRig): Promise<SendingOutcome> {
  const random = randomFrom(seed);
  const chance = (probability: number) => random() < probability;
  const tag = newTag();
  const items = Array.from({ length: 2 + Math.floor(random() * 4) }, (_, n) =>
    itemOf(pick(LETTER_NAMES, random), `${tag}-${n}`),
  );
  const records = items.map((item) => recordOf(item));
  const watch = watchOf(rig, items);
  const spent = { troubles: 0 };
  rig.proxy.plan = watch.plan(randomStorage(random, random() * 0.2, rig, spent));
  rig.providers.plan = randomHandovers(random, random() * 0.25, spent);

  for (const item of items) await rig.put(item);
  let left: readonly Delivery[] = records;
  for (let n = 0; left.length > 0 && n < MAX_DELIVERIES; n++) {
    // Stream and queue deliver at least once, and may deliver to two processes at one time.
    const again = [...records, ...rig.messages].filter((delivery) => !left.includes(delivery) && chance(0.15));
    const batches = batchesOf([...left, ...again]);
    left = await rig.deliver(chance(0.5) ? [...batches, ...batchesOf(left.filter(() => chance(0.5)))] : batches);
  }
  await watch.acknowledged();
  rig.proxy.plan = () => undefined;
  rig.providers.plan = refusalsByName;
  await rig.deliver([records, records, ...batchesOf(rig.messages)]);
  return { label: `random schedule of sending ${seed}`, ...watch.facts() };
}

interface Spent {
  troubles: number;
}

function randomStorage(random: Random, probability: number, rig: SenderRig, spent: Spent): Plan {
  return (call) => {
    if (random() >= probability || spent.troubles++ >= MAX_TROUBLES) return undefined;
    return trouble(random() < 0.15 ? pick(KILLED, random) : pick(STORAGE_TROUBLES, random), call, rig);
  };
}

function randomHandovers(random: Random, probability: number, spent: Spent): HandoverPlan {
  return (moment) => {
    const byName = refusalsByName(moment);
    if (byName || random() >= probability || spent.troubles++ >= MAX_TROUBLES) return byName;
    return pick(HANDOVER_FAULTS[moment.provider][moment.stage] ?? [], random);
  };
}
