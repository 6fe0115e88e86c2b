/** The cases of the sender's matrix: what fails, where, how and for how long. */
import type { Provider } from '../../lambda/mail/provider.ts';
import { FAULTS, type Fault } from './fault-proxy.ts';
import { HANDOVER_FAULTS, type HandoverFault, STAGES, type Stage } from './providers.ts';

/** Mails that the providers treat differently because of their recipients. */
export const LETTERS = {
  sendgrid: ['sendgrid', ['']],
  smtp: ['customers-mail-cloud', ['']],
  'smtp, one of two refused': ['customers-mail-cloud', ['', '+refused']],
  'smtp, one of two put off': ['customers-mail-cloud', ['', '+later']],
  'smtp, both refused': ['customers-mail-cloud', ['+refused-1', '+refused-2']],
  'sendgrid, one of two suppressed': ['sendgrid', ['', '+suppressed']],
  'smtp, one of two suppressed': ['customers-mail-cloud', ['', '+suppressed']],
  'sendgrid, suppressed': ['sendgrid', ['+suppressed']],
} as const satisfies Record<string, readonly [Provider, readonly string[]]>;
export type Letter = keyof typeof LETTERS;
export const LETTER_NAMES = Object.keys(LETTERS) as Letter[];

export type StorageTrouble = Fault | 'killed before' | 'killed after';
/** Whether a recipient of these mails is suppressed from the start. */
export const isSuppressed = (recipient: string) => recipient.includes('+suppressed');

/** Faults that the sender does not meet: it makes no batch, and it may miss a bounce of the same second. */
const OF_OTHERS: readonly Fault[] = ['unprocessed', 'stale read'];
const STORAGE_TROUBLES: readonly StorageTrouble[] = [
  ...FAULTS.filter((fault) => !OF_OTHERS.includes(fault)),
  'killed before',
  'killed after',
];

/** From the k-th call on. EVER lasts until the end of the first delivery. */
export interface AtStorage {
  readonly at: 'storage';
  readonly fault: StorageTrouble;
  readonly k: number;
  readonly rounds: number;
  /** Only calls of this kind. */
  readonly only?: 'PutItem';
}
export interface AtHandover {
  readonly at: 'handover';
  readonly stage: Stage;
  readonly fault: HandoverFault;
  readonly rounds: number;
}
/** The port is closed, for the first deliveries only or for all. */
interface AtConnection {
  readonly at: 'connection';
  readonly fault: 'no connection';
  readonly rounds: number;
}

export interface SendingCase {
  readonly letter: Letter;
  readonly trouble: AtStorage | AtHandover | AtConnection;
  /** If true, each delivery goes to two processes at the same time. */
  readonly together: boolean;
}

export const EVER = Number.POSITIVE_INFINITY;
/** More than the attempts that a mail gets before it fails. */
const OUTAGE_ROUNDS = 8;

/** All cases of a letter. @param calls the number of storage calls of a delivery when nothing fails */
export function casesOf(letter: Letter, calls: number): SendingCase[] {
  // A deferred recipient causes the same calls as a refused one.
  const ofStorage = letter === 'smtp, one of two put off' ? [] : storageCases(letter, calls);
  // The longest cases start first.
  const lastsLong = ({ trouble }: SendingCase) => Number(trouble.rounds === EVER);
  return [...ofStorage, ...handoverCases(letter)].sort((a, b) => lastsLong(b) - lastsLong(a));
}

/** At each call, and at two more, which a second try makes. */
function storageCases(letter: Letter, calls: number): SendingCase[] {
  const ks = Array.from({ length: calls + 2 }, (_, n) => n + 1);
  const troubles: AtStorage[] = ks.flatMap((k) =>
    STORAGE_TROUBLES.flatMap((fault) =>
      (fault.startsWith('killed') ? [1, 3] : [1, 3, EVER]).map(
        (rounds) => ({ at: 'storage', fault, k, rounds }) as const,
      ),
    ),
  );
  // A call that is retried until the time is over takes that whole time, so once is enough.
  const cases = troubles.flatMap((trouble) =>
    (trouble.rounds === EVER ? [false] : [false, true]).map((together) => ({
      letter,
      trouble,
      together,
    })),
  );
  const noLog: AtStorage = { at: 'storage', fault: 'error 500', k: 1, rounds: EVER, only: 'PutItem' };
  return [...cases, { letter, trouble: noLog, together: false }];
}

function handoverCases(letter: Letter): SendingCase[] {
  const [provider] = LETTERS[letter];
  const faults = STAGES.flatMap((stage) =>
    (HANDOVER_FAULTS[provider][stage] ?? []).map((fault) => ({ at: 'handover', stage, fault }) as const),
  );
  const closed = provider === 'sendgrid' ? [] : [{ at: 'connection', fault: 'no connection' } as const];
  return [...faults, ...closed].flatMap((where) =>
    [1, OUTAGE_ROUNDS, ...(where.at === 'handover' && where.stage === 'queue' ? [] : [EVER])].flatMap((rounds) =>
      [false, true].map((together) => ({ letter, trouble: { ...where, rounds }, together })),
    ),
  );
}

/**
 * Each fault at every second call, by turns of a letter through SendGrid and one through SMTP, and each fault at each stage
 * of a handover. Of the other cases, every 301st. Two kinds are left out because they take long: faults that last as long as a
 * request may, and most of those after which a new process must start.
 */
export function sampleOfSending(cases: readonly SendingCase[]): SendingCase[] {
  const short = cases.filter(
    ({ trouble }) => trouble.fault !== 'hang' && (trouble.at !== 'storage' || trouble.rounds !== EVER),
  );
  const isPlain = ({ letter, trouble, together }: SendingCase) =>
    (letter === 'sendgrid' || letter === 'smtp') && trouble.rounds === 1 && !together;
  const hasTurn = ({ letter, trouble }: SendingCase) =>
    trouble.at !== 'storage' ||
    (STORAGE_TROUBLES.indexOf(trouble.fault) + trouble.k) % 4 === (letter === 'smtp' ? 2 : 0);
  const startsProcess = ({ trouble }: SendingCase) => /^killed|^no connection/.test(trouble.fault);
  const others = short.filter((kase) => !isPlain(kase) && !startsProcess(kase));
  return [...short.filter((kase) => isPlain(kase) && hasTurn(kase)), ...others.filter((_, n) => n % 301 === 0)];
}

export function labelOfSending({ letter, trouble, together }: SendingCase): string {
  const where =
    trouble.at === 'storage'
      ? `call ${trouble.k}${trouble.only ? ` of ${trouble.only}` : ''}`
      : trouble.at === 'handover'
        ? trouble.stage
        : 'SMTP';
  const lasts = trouble.rounds === 1 ? 'once' : trouble.rounds === EVER ? 'for ever' : `${trouble.rounds} times`;
  return `${letter}: ${trouble.fault} at ${where}, ${lasts}${together ? ', two at once' : ''}`;
}
