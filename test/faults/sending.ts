/**
 * The matrix of the sender: every storage call and every step of a handover fails in every way, and its process is killed
 * at each; its record and its messages of RetryQueue come again until nothing waits, and once more after that.
 */
import { RETRY_FOR_MS } from '../../lambda/sending/next-step.ts';
import { recordOf } from '../lambda/sending/sender-servers.ts';
import type { Fault, Plan } from './fault-proxy.ts';
import { newTag } from './posts.ts';
import type { HandoverFault, HandoverPlan, Moment } from './providers.ts';
import { batchesOf, type Delivery, mailIdOf, mailOfCall, type SenderLane } from './sender-lane.ts';
import {
  type AtHandover,
  type AtStorage,
  casesOf,
  EVER,
  LETTERS,
  type Letter,
  labelOfSending,
  type SendingCase,
  type StorageTrouble,
} from './sending-cases.ts';
import type { SentFacts } from './sending-verdict.ts';

export interface SendingOutcome {
  readonly label: string;
  readonly mails: readonly SentFacts[];
  readonly crashes: readonly string[];
}

/** More than the event source mapping's: on a busy machine a delivery's time may be over before it has begun. */
const MAX_DELIVERIES = 30;
/** Nobody listens here. */
const CLOSED_PORT = 1;

/** Plays a case to its end. What it leaves in the tables is judged by sendingVerdict(). */
export async function playSending(kase: SendingCase, lane: SenderLane): Promise<SendingOutcome> {
  const { trouble, together } = kase;
  const item = itemOf(kase.letter, `${newTag()}-1`);
  const watch = watchOf(lane, [item]);
  lane.providers.plan = trouble.at === 'handover' ? failingHandover(trouble) : refusalsByName;
  lane.proxy.plan = watch.plan(trouble.at === 'storage' ? storagePlan(trouble, lane) : () => undefined);
  if (trouble.fault === 'no connection') await connectTo(CLOSED_PORT, lane);

  await lane.put(item);
  // For a provider that never comes back, the time is over: a mail waits for hours before it is given up.
  const inVain = trouble.at !== 'storage' && trouble.rounds === EVER;
  const record = recordOf(item, inVain ? Date.now() - RETRY_FOR_MS : Date.now());
  const outage = trouble.at === 'storage' && trouble.rounds === EVER;
  let left: Delivery[] = [record];
  for (let n = 0; left.length > 0 && n < MAX_DELIVERIES; n++) {
    const batches = batchesOf(left);
    left = await lane.deliver(together ? [...batches, ...batches] : batches, { outage: outage && n === 0 });
    if (outage) lane.proxy.plan = watch.plan(() => undefined);
    if (trouble.fault === 'no connection' && trouble.rounds === n + 1)
      await connectTo(lane.providers.realSmtpPort, lane);
  }
  await watch.acknowledged();
  lane.proxy.plan = () => undefined;
  await lane.deliver([[record], [record], ...batchesOf(lane.messages)]);
  if (trouble.fault === 'no connection') await connectTo(lane.providers.realSmtpPort, lane);
  return { label: labelOfSending(kase), ...watch.facts() };
}

/** A process keeps the address that it has read: it takes another. */
async function connectTo(port: number, lane: SenderLane): Promise<void> {
  lane.providers.smtpPort = port;
  await lane.restart();
}

export function itemOf(letter: Letter, id: string) {
  const [provider, recipients] = LETTERS[letter];
  return {
    id,
    provider,
    from: 'Shop <shop@example.com>',
    to: recipients.map((suffix) => `${id}${suffix}@example.jp`).join(', '),
    subject: `About ${id}`,
    content: 'C',
  };
}

/** Keeps the facts about some mails. */
export function watchOf(lane: SenderLane, items: readonly ReturnType<typeof itemOf>[]) {
  const refusedItems = new Set<string>();
  const leftAlone = new Set<string>();
  lane.takings.length = 0;
  lane.refusals.length = 0;
  lane.crashes.length = 0;
  lane.messages.length = 0;
  lane.proxy.whenLost = () => undefined;
  return {
    /** The plan, with an eye on what DynamoDB says of items. */
    plan(plan: Plan): Plan {
      return async (call) => {
        const fault = await plan(call);
        const id = mailOfCall(call);
        if (fault === 'refused item' && id !== undefined) refusedItems.add(id);
        return fault;
      };
    },
    /** Nothing is to be delivered again: by now every mail has come to an end. */
    async acknowledged(): Promise<void> {
      for (const { id } of items) {
        const status = (await lane.mail(id))?.['status'];
        if (status !== 'sent' && status !== 'failed') leftAlone.add(id);
      }
    },
    facts() {
      const of = <Fact extends { recipient: string }>(facts: readonly Fact[], id: string) =>
        facts.filter(({ recipient }) => mailIdOf(recipient) === id);
      return {
        crashes: [...lane.crashes],
        mails: items.map(
          ({ id, provider, to }): SentFacts => ({
            id,
            provider,
            recipients: to.split(', '),
            takings: of(lane.takings, id),
            refusals: of(lane.refusals, id),
            leftAlone: leftAlone.has(id),
            refusedItem: refusedItems.has(id),
          }),
        ),
      };
    },
  };
}

function storagePlan({ fault, k, rounds, only }: AtStorage, lane: SenderLane): Plan {
  let calls = 0;
  return (call) => {
    if (only !== undefined && call.action !== only) return undefined;
    calls++;
    return calls >= k && calls < k + rounds ? trouble(fault, call, lane) : undefined;
  };
}

/** Lets a storage call fail; where its process is killed after it took effect, nobody hears of that. */
export async function trouble(
  fault: StorageTrouble,
  { caller, number }: Parameters<Plan>[0],
  lane: SenderLane,
): Promise<Fault> {
  if (fault === 'killed before') {
    await lane.kill(caller);
    return 'reset';
  }
  if (fault !== 'killed after') return fault;
  const { whenLost } = lane.proxy;
  lane.proxy.whenLost = async (call) => {
    await whenLost(call);
    if (call.number === number) await lane.kill(caller);
  };
  return 'lost answer';
}

const DEFERRED = { sendgrid: 'answer 500', 'customers-mail-cloud': 'reply 451' } as const;

function failingHandover({ stage, fault, rounds }: AtHandover): HandoverPlan {
  let left = rounds;
  let deferrals = rounds;
  return (moment) => {
    const byName = refusalsByName(moment);
    if (byName) return byName;
    // Something is put into the queue only if the provider defers it.
    if (stage === 'queue' && moment.stage === 'mail' && deferrals-- > 0) return DEFERRED[moment.provider];
    return moment.stage === stage && left-- > 0 ? fault : undefined;
  };
}

/** What the SMTP server always says to some recipients. */
export function refusalsByName({ stage, recipient }: Moment): HandoverFault | undefined {
  if (stage !== 'recipient') return undefined;
  if (recipient.includes('+refused')) return 'reply 550';
  return recipient.includes('+later') ? 'reply 450' : undefined;
}

/** All cases of a letter. */
export async function casesOfLetter(letter: Letter, lane: SenderLane): Promise<SendingCase[]> {
  const item = itemOf(letter, `${newTag()}-1`);
  lane.providers.plan = refusalsByName;
  await lane.put(item);
  lane.proxy.calls.length = 0;
  await lane.deliver([[recordOf(item)]]);
  return casesOf(letter, lane.proxy.calls.length);
}
