/**
 * The matrix of the sender: every storage call and every step of a handover fails in every way, and its process is killed
 * at each; the record comes again until it is acknowledged, and once more after that.
 */
import type { Row } from '../../lambda/aws/tables.ts';
import type { Provider } from '../../lambda/mail/event.ts';
import { recordOf } from '../lambda/sender-servers.ts';
import { FAULTS, type Fault, type Plan } from './fault-proxy.ts';
import { newTag } from './posts.ts';
import { HANDOVER_FAULTS, type HandoverFault, type HandoverPlan, type Moment } from './providers.ts';
import { mailIdOf, mailOfCall, type RoundOptions, type SenderLane } from './sender-lane.ts';
import type { SentFacts } from './sending-verdict.ts';

/** Mails that the providers treat differently, by their recipients. */
export const LETTERS = {
  sendgrid: ['sendgrid', ['']],
  smtp: ['customers-mail-cloud', ['']],
  'smtp, one of two refused': ['customers-mail-cloud', ['', '+refused']],
  'smtp, one of two put off': ['customers-mail-cloud', ['', '+later']],
  'smtp, both refused': ['customers-mail-cloud', ['+refused-1', '+refused-2']],
} as const satisfies Record<string, readonly [Provider, readonly string[]]>;
export type Letter = keyof typeof LETTERS;
export const LETTER_NAMES = Object.keys(LETTERS) as Letter[];

export type StorageTrouble = Fault | 'killed before' | 'killed after';
/** Faults of batches and reads: the sender makes neither. */
const OF_OTHERS: readonly Fault[] = ['unprocessed', 'stale read'];
const STORAGE_TROUBLES: readonly StorageTrouble[] = [
  ...FAULTS.filter((fault) => !OF_OTHERS.includes(fault)),
  'killed before',
  'killed after',
];

/** From the k-th call on; for ever is to the end of the first delivery. */
interface AtStorage {
  readonly at: 'storage';
  readonly fault: StorageTrouble;
  readonly k: number;
  readonly rounds: number;
  /** Calls of this kind only. */
  readonly only?: 'PutItem';
}
/** `no connection`: for the first process only, or for all. */
interface AtHandover {
  readonly at: 'handover';
  readonly fault: HandoverFault | 'no connection';
  readonly rounds: number;
}

export interface SendingCase {
  readonly letter: Letter;
  readonly trouble: AtStorage | AtHandover;
  /** Each delivery goes to two processes at one time. */
  readonly together: boolean;
  /** How long a delivery tries again by itself. */
  readonly retryMs: number;
}

export interface SendingOutcome {
  readonly label: string;
  readonly mails: readonly SentFacts[];
  readonly crashes: readonly string[];
}

const EVER = Number.POSITIVE_INFINITY;
/** Enough for one more try, or not for one. */
const SOME_TIME_MS = 3_000;
const NO_TIME_MS = 300;
/** As the event source mapping does it: once, and ten times again. */
const MAX_DELIVERIES = 11;
/** Nobody listens here. */
const CLOSED_PORT = 1;

/** @param calls how many calls the letter's delivery makes in which nothing fails; two more are tried */
export function storageCases(letter: Letter, calls: number): SendingCase[] {
  const ks = Array.from({ length: calls + 2 }, (_, n) => n + 1);
  const troubles: AtStorage[] = ks.flatMap((k) =>
    STORAGE_TROUBLES.flatMap((fault) =>
      (fault.startsWith('killed') ? [1, 3] : [1, 3, EVER]).map(
        (rounds) => ({ at: 'storage', fault, k, rounds }) as const,
      ),
    ),
  );
  // What is tried for as long as there is time takes the whole of it: once is enough.
  const cases = troubles.flatMap((trouble) =>
    (trouble.rounds === EVER ? [false] : [false, true]).map((together) => ({
      letter,
      trouble,
      together,
      retryMs: NO_TIME_MS,
    })),
  );
  const noLog: AtStorage = { at: 'storage', fault: 'error 500', k: 1, rounds: EVER, only: 'PutItem' };
  return [...cases, { letter, trouble: noLog, together: false, retryMs: NO_TIME_MS }];
}

export function handoverCases(letter: Letter): SendingCase[] {
  const [provider] = LETTERS[letter];
  const faults = [
    ...HANDOVER_FAULT_NAMES.filter((fault) => fault in HANDOVER_FAULTS[provider]),
    ...(provider === 'sendgrid' ? [] : (['no connection'] as const)),
  ];
  const times = [
    { rounds: 1, retryMs: NO_TIME_MS },
    { rounds: 1, retryMs: SOME_TIME_MS },
    { rounds: EVER, retryMs: NO_TIME_MS },
  ];
  return faults.flatMap((fault) =>
    times.flatMap(({ rounds, retryMs }) =>
      [false, true].map((together) => ({
        letter,
        trouble: { at: 'handover', fault, rounds } as const,
        together,
        retryMs,
      })),
    ),
  );
}

const HANDOVER_FAULT_NAMES = [
  ...new Set(Object.values(HANDOVER_FAULTS).flatMap((faults) => Object.keys(faults))),
] as HandoverFault[];

/** Every call and every fault once, of two letters; the rest thinned out, without what lasts as long as a request may. */
export function sampleOfSending(cases: readonly SendingCase[]): SendingCase[] {
  const short = cases.filter(
    ({ trouble }) => trouble.fault !== 'hang' && (trouble.at === 'handover' || trouble.rounds !== EVER),
  );
  const isPlain = ({ letter, trouble, together, retryMs }: SendingCase) =>
    (letter === 'sendgrid' || letter === 'smtp') && trouble.rounds === 1 && !together && retryMs === NO_TIME_MS;
  const others = short.filter((kase) => !isPlain(kase));
  return [...short.filter(isPlain), ...others.filter((_, n) => n % 23 === 0)];
}

export function labelOfSending({ letter, trouble, together, retryMs }: SendingCase): string {
  const where = trouble.at === 'storage' ? `at ${trouble.only ?? 'call'} ${trouble.k}` : 'at the handover';
  const lasts = trouble.rounds === 1 ? 'once' : trouble.rounds === EVER ? 'for ever' : `${trouble.rounds} times`;
  return `${letter}: ${trouble.fault} ${where}, ${lasts}${together ? ', two at once' : ''}, ${retryMs} ms`;
}

/** Plays a case to its end. What it leaves in the tables is judged by sendingVerdict(). */
export async function playSending(kase: SendingCase, lane: SenderLane): Promise<SendingOutcome> {
  const { trouble, together, retryMs } = kase;
  const item = itemOf(kase.letter, `${newTag()}-1`);
  const watch = watchOf(lane, [item]);
  lane.providers.plan = trouble.at === 'handover' ? failingHandover(trouble) : refusalsByName;
  lane.proxy.plan = watch.plan(trouble.at === 'storage' ? storagePlan(trouble, lane) : () => undefined);
  if (trouble.fault === 'no connection') await connectTo(CLOSED_PORT, lane);

  await lane.put(item);
  const record = recordOf(item);
  const outage = trouble.at === 'storage' && trouble.rounds === EVER;
  let left = [record];
  for (let n = 0; left.length > 0 && n < MAX_DELIVERIES; n++) {
    const options: RoundOptions = { retryMs, outage: outage && n === 0 };
    left = await lane.deliver(together ? [left, left] : [left], options);
    if (outage) lane.proxy.plan = watch.plan(() => undefined);
    if (trouble.fault === 'no connection' && trouble.rounds === 1) await connectTo(lane.providers.realSmtpPort, lane);
  }
  await watch.acknowledged();
  lane.proxy.plan = () => undefined;
  await lane.deliver([[record], [record]]);
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
        const status = ((await lane.mail(id)) ?? ({} as Row))['status'];
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

function failingHandover({ fault, rounds }: AtHandover): HandoverPlan {
  let left = rounds;
  return (moment) => {
    const byName = refusalsByName(moment);
    if (byName || fault === 'no connection') return byName;
    const [provider, stage] = [moment.provider, moment.stage];
    const stages: Readonly<Record<string, string>> = HANDOVER_FAULTS[provider];
    return stages[fault] === stage && left-- > 0 ? fault : undefined;
  };
}

/** What the SMTP server always says to some recipients. */
export function refusalsByName({ stage, recipient }: Moment): HandoverFault | undefined {
  if (stage !== 'recipient') return undefined;
  if (recipient.includes('+refused')) return 'reply 550 to RCPT';
  return recipient.includes('+later') ? 'reply 450 to RCPT' : undefined;
}

/** All cases of a letter. */
export async function casesOfLetter(letter: Letter, [lane]: readonly SenderLane[]): Promise<SendingCase[]> {
  const calls = lane ? await callsOfLetter(letter, lane) : 0;
  // Its calls are the same as those of the one that is refused.
  const ofStorage = letter === 'smtp, one of two put off' ? [] : storageCases(letter, calls);
  // What lasts long begins first.
  const lastsLong = ({ trouble }: SendingCase) => Number(trouble.rounds === EVER);
  return [...ofStorage, ...handoverCases(letter)].sort((a, b) => lastsLong(b) - lastsLong(a));
}

/** How many storage calls a delivery makes in which nothing fails. */
async function callsOfLetter(letter: Letter, lane: SenderLane): Promise<number> {
  const item = itemOf(letter, `${newTag()}-1`);
  lane.providers.plan = refusalsByName;
  await lane.put(item);
  lane.proxy.calls.length = 0;
  await lane.deliver([[recordOf(item)]]);
  return lane.proxy.calls.length;
}
