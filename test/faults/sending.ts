/**
 * The matrix of the sender: every storage call and every step of a handover fails in every way, and the process is killed
 * at each. The record and the messages of RetryQueue are delivered until nothing waits, and once more after that.
 */
import { RETRY_FOR_MS } from '../../lambda/sending/next-step.ts';
import { recordOf } from '../lambda/sending/sender-servers.ts';
import type { Fault, Plan } from './fault-proxy.ts';
import { newTag } from './posts.ts';
import type { HandoverFault, HandoverPlan, Moment } from './providers.ts';
import { batchesOf, type Delivery, mailIdOf, mailOfCall, type SenderRig } from './sender-rig.ts';
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

/** More than the event source mapping's limit: on a busy machine a delivery's time may be over before it starts. */
const MAX_DELIVERIES = 30;
/** No server listens on this port. */
const CLOSED_PORT = 1;

/** Plays a case to its end. sendingVerdict() checks what it leaves in the tables. */
export async function playSending(kase: SendingCase, rig: SenderRig): Promise<SendingOutcome> {
  const { trouble, together } = kase;
  const item = itemOf(kase.letter, `${newTag()}-1`);
  const watch = watchOf(rig, [item]);
  rig.providers.plan = trouble.at === 'handover' ? failingHandover(trouble) : refusalsByName;
  rig.proxy.plan = watch.plan(trouble.at === 'storage' ? storagePlan(trouble, rig) : () => undefined);
  if (trouble.fault === 'no connection') await connectTo(CLOSED_PORT, rig);

  await rig.put(item);
  // If the provider never returns, the mail's hours of retries are treated as over.
  const inVain = trouble.at !== 'storage' && trouble.rounds === EVER;
  const record = recordOf(item, inVain ? Date.now() - RETRY_FOR_MS : Date.now());
  const outage = trouble.at === 'storage' && trouble.rounds === EVER;
  let left: Delivery[] = [record];
  for (let n = 0; left.length > 0 && n < MAX_DELIVERIES; n++) {
    const batches = batchesOf(left);
    left = await rig.deliver(together ? [...batches, ...batches] : batches, { outage: outage && n === 0 });
    if (outage) rig.proxy.plan = watch.plan(() => undefined);
    if (trouble.fault === 'no connection' && trouble.rounds === n + 1) await connectTo(rig.providers.realSmtpPort, rig);
  }
  await watch.acknowledged();
  rig.proxy.plan = () => undefined;
  await rig.deliver([[record], [record], ...batchesOf(rig.messages)]);
  if (trouble.fault === 'no connection') await connectTo(rig.providers.realSmtpPort, rig);
  return { label: labelOfSending(kase), ...watch.facts() };
}

/** New processes use another port. Running processes keep the address that they have read, so they are restarted. */
async function connectTo(port: number, rig: SenderRig): Promise<void> {
  rig.providers.smtpPort = port;
  await rig.restart();
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

/** Collects the facts about some mails. */
export function watchOf(rig: SenderRig, items: readonly ReturnType<typeof itemOf>[]) {
  const refusedItems = new Set<string>();
  const leftAlone = new Set<string>();
  rig.takings.length = 0;
  rig.refusals.length = 0;
  rig.crashes.length = 0;
  rig.messages.length = 0;
  rig.proxy.whenLost = () => undefined;
  return {
    /** Wraps the plan, and notes which items DynamoDB refuses. */
    plan(plan: Plan): Plan {
      return async (call) => {
        const fault = await plan(call);
        const id = mailOfCall(call);
        if (fault === 'refused item' && id !== undefined) refusedItems.add(id);
        return fault;
      };
    },
    /** Called when nothing is left to deliver. Every mail must now be sent or failed. */
    async acknowledged(): Promise<void> {
      for (const { id } of items) {
        const status = (await rig.mail(id))?.['status'];
        if (status !== 'sent' && status !== 'failed') leftAlone.add(id);
      }
    },
    facts() {
      const of = <Fact extends { recipient: string }>(facts: readonly Fact[], id: string) =>
        facts.filter(({ recipient }) => mailIdOf(recipient) === id);
      return {
        crashes: [...rig.crashes],
        mails: items.map(
          ({ id, provider, to }): SentFacts => ({
            id,
            provider,
            recipients: to.split(', '),
            takings: of(rig.takings, id),
            refusals: of(rig.refusals, id),
            leftAlone: leftAlone.has(id),
            refusedItem: refusedItems.has(id),
          }),
        ),
      };
    },
  };
}

function storagePlan({ fault, k, rounds, only }: AtStorage, rig: SenderRig): Plan {
  let calls = 0;
  return (call) => {
    if (only !== undefined && call.action !== only) return undefined;
    calls++;
    return calls >= k && calls < k + rounds ? trouble(fault, call, rig) : undefined;
  };
}

/** Makes a storage call fail. If the process is killed after the call took effect, it gets no answer. */
export async function trouble(
  fault: StorageTrouble,
  { caller, number }: Parameters<Plan>[0],
  rig: SenderRig,
): Promise<Fault> {
  if (fault === 'killed before') {
    await rig.kill(caller);
    return 'reset';
  }
  if (fault !== 'killed after') return fault;
  const { whenLost } = rig.proxy;
  rig.proxy.whenLost = async (call) => {
    await whenLost(call);
    if (call.number === number) await rig.kill(caller);
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
    // Something is put into the queue only after the provider deferred it.
    if (stage === 'queue' && moment.stage === 'mail' && deferrals-- > 0) return DEFERRED[moment.provider];
    return moment.stage === stage && left-- > 0 ? fault : undefined;
  };
}

/** The permanent replies of the SMTP server to some recipients. */
export function refusalsByName({ stage, recipient }: Moment): HandoverFault | undefined {
  if (stage !== 'recipient') return undefined;
  if (recipient.includes('+refused')) return 'reply 550';
  return recipient.includes('+later') ? 'reply 450' : undefined;
}

/** All cases of a letter. */
export async function casesOfLetter(letter: Letter, rig: SenderRig): Promise<SendingCase[]> {
  const item = itemOf(letter, `${newTag()}-1`);
  rig.providers.plan = refusalsByName;
  await rig.put(item);
  rig.proxy.calls.length = 0;
  await rig.deliver([[recordOf(item)]]);
  return casesOf(letter, rig.proxy.calls.length);
}
