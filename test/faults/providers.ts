/** SendGrid and Customers Mail Cloud, with every failure that a sender can meet. */
import { text } from 'node:stream/consumers';
import type { Provider } from '../../lambda/mail/provider.ts';
import { readSending } from '../../lambda/sending/retry-queue.ts';
import type { LocalCertificate } from '../../local/simulators/certificate.ts';
import { ACCOUNT, reply, startMailServer } from '../lambda/providers/smtp.ts';
import { type ApiAnswer, type SendRequest, startAwsServer, startMailApi } from '../lambda/sending/sender-servers.ts';

/**
 * The steps of a handover at which something can fail. SendGrid's handover has only `mail`. `queue`: the provider
 * deferred the mail, and it is put into RetryQueue.
 */
export const STAGES = ['connection', 'from', 'recipient', 'mail', 'queue'] as const;
export type Stage = (typeof STAGES)[number];

export type HandoverFault =
  | `answer ${400 | 401 | 429 | 500 | 503}`
  | `reply ${421 | 450 | 451 | 550 | 554}`
  | 'cut off'
  | 'refused'
  | 'lost answer'
  | 'killed before'
  | 'killed after';

const QUEUE_FAULTS = ['refused', 'lost answer', 'killed before', 'killed after'] as const;

/**
 * The ways in which each step of a handover can fail. `lost answer`: the mail is taken, but the sender gets no answer.
 * `killed before`, `killed after`: the sending process is killed before or after the mail is taken.
 */
export const HANDOVER_FAULTS: Readonly<Record<Provider, Partial<Record<Stage, readonly HandoverFault[]>>>> = {
  sendgrid: {
    mail: [
      'answer 500',
      'answer 503',
      'answer 429',
      'answer 400',
      'answer 401',
      'cut off',
      'lost answer',
      'killed before',
      'killed after',
    ],
    queue: QUEUE_FAULTS,
  },
  'customers-mail-cloud': {
    connection: ['cut off', 'reply 421'],
    from: ['reply 451'],
    recipient: ['reply 450', 'reply 550'],
    mail: ['reply 451', 'reply 554', 'cut off', 'lost answer', 'killed before', 'killed after'],
    queue: QUEUE_FAULTS,
  },
};

/** A step of a handover. */
export interface Moment {
  readonly provider: Provider;
  readonly stage: Stage;
  /** Empty if it is not known yet, as at the greeting. */
  readonly recipient: string;
}
/** Chooses a fault that is possible at this stage, or undefined. */
export type HandoverPlan = (moment: Moment) => HandoverFault | undefined;

/** A mail that a provider has taken. */
export interface Taken {
  readonly provider: Provider;
  /** The first recipient. */
  readonly recipient: string;
  /** The recipients for whom it was taken. */
  readonly recipients: readonly string[];
  readonly messageId: string;
  /** The process that handed it over. */
  readonly process: string;
  /** The sender does not get the answer. */
  readonly lost: boolean;
}

export interface Refused {
  readonly recipient: string;
  /** A 5yz reply. A 4yz reply is not permanent. */
  readonly forGood: boolean;
  readonly process: string;
}

export interface Providers {
  readonly sendGridUrl: string;
  /** Secrets Manager and SQS. The secret tells each process its own name: the access key id is also the user name. */
  readonly awsUrl: string;
  plan: HandoverPlan;
  /** The SMTP port for processes that start from now on. */
  smtpPort: number;
  readonly realSmtpPort: number;
  readonly injected: () => number;
  close(): void;
}

export interface Listener {
  /** RetryQueue has taken a message. */
  queued(body: string): void;
  taken(mail: Taken): void;
  refused(refusal: Refused): void;
  kill(process: string): Promise<void>;
}

const words = (message: string) => JSON.stringify({ errors: [{ message, field: null }] });

const API_ANSWERS: Readonly<Record<string, () => ApiAnswer>> = {
  'answer 500': () => ({ status: 500 }),
  'answer 503': () => ({ status: 503 }),
  'answer 429': () => ({ status: 429, headers: { 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 1) } }),
  'answer 400': () => ({ status: 400, body: words('Bad request') }),
  'answer 401': () => ({ status: 401, body: words('The provided authorization grant is invalid') }),
};

/** The providers of one rig. */
export async function startProviders(
  certificate: Pick<LocalCertificate, 'cert' | 'key'>,
  listener: Listener,
): Promise<Providers> {
  let taken = 0;
  let injected = 0;
  const planned = (moment: Moment): HandoverFault | undefined => {
    const fault = providers.plan(moment);
    if (fault !== undefined) injected++;
    return fault;
  };
  /** Plays the last step of a handover. It is answered as taken, answered with a fault's reply, or not answered. */
  const handOver = async (mail: Omit<Taken, 'lost'>): Promise<HandoverFault | 'taken' | 'cut off'> => {
    const fault = planned({ ...mail, stage: 'mail' });
    if (fault === undefined) listener.taken({ ...mail, lost: false });
    if (fault === 'lost answer') listener.taken({ ...mail, lost: true });
    if (fault === 'killed after') listener.taken({ ...mail, lost: false });
    if (fault === 'killed before' || fault === 'killed after') await listener.kill(mail.process);
    if (fault === undefined) return 'taken';
    return API_ANSWERS[fault] || fault.startsWith('reply') ? fault : 'cut off';
  };

  const api = await startMailApi(async ({ base, to, personalizations, socket }: SendRequest) => {
    const messageId = `sendgrid-${++taken}-${to.replace(/@.*/, '')}`;
    const process = base.slice(1);
    const recipients = personalizations.flatMap((copy) => copy.to);
    const outcome = await handOver({ provider: 'sendgrid', recipient: to, recipients, messageId, process });
    if (outcome === 'cut off') socket.destroy();
    return API_ANSWERS[outcome]?.() ?? { status: 202, headers: { 'x-message-id': messageId } };
  });

  const provider = 'customers-mail-cloud';
  const refuse = (fault: string, recipients: readonly string[], process = '') => {
    for (const recipient of recipients) {
      listener.refused({ recipient, forGood: fault.startsWith('reply 5'), process });
    }
  };
  const smtp = await startMailServer(certificate, {
    onConnect(session, callback) {
      const fault = planned({ provider, stage: 'connection', recipient: '' });
      if (fault === 'cut off') smtp.cut(session);
      callback(fault?.startsWith('reply') ? replyOf(fault) : null);
    },
    onAuth: ({ username = '', password }, _, callback) =>
      password === ACCOUNT.password ? callback(null, { user: username }) : callback(reply(535, '5.7.8 Wrong')),
    onMailFrom(_, __, callback) {
      const fault = planned({ provider, stage: 'from', recipient: '' });
      callback(fault ? replyOf(fault) : null);
    },
    onRcptTo({ address }, session, callback) {
      const fault = planned({ provider, stage: 'recipient', recipient: address });
      if (fault) refuse(fault, [address], session.user);
      callback(fault ? replyOf(fault) : null);
    },
    async onData(stream, session, callback) {
      // A process that was killed may have started to send the mail.
      const source = await text(stream).catch(() => undefined);
      if (source === undefined) return;
      const messageId = /^message-id:\s*(<[^>]+>)/im.exec(source)?.[1] ?? 'none';
      const recipients = session.envelope.rcptTo.map(({ address }) => address);
      const [recipient = ''] = recipients;
      const outcome = await handOver({ provider, recipient, recipients, messageId, process: session.user ?? '' });
      if (outcome === 'cut off') smtp.cut(session);
      if (outcome.startsWith('reply')) refuse(outcome, recipients, session.user);
      callback(outcome.startsWith('reply') ? replyOf(outcome) : null);
    },
  });
  const secretFor = (caller: string) => ({
    sendgridApiKey: 'SG.key',
    customersMailCloudSmtp: {
      host: 'localhost',
      port: providers.smtpPort,
      user: caller,
      password: ACCOUNT.password,
    },
  });
  const aws = await startAwsServer(secretFor, async ({ body, caller, socket }) => {
    const { id, provider } = readSending(body);
    const fault = planned({ provider, stage: 'queue', recipient: `${id}@example.jp` });
    if (fault !== 'refused' && fault !== 'killed before') listener.queued(body);
    if (fault === 'killed before' || fault === 'killed after') await listener.kill(caller);
    if (fault !== undefined && fault !== 'refused') socket.destroy();
    return fault === undefined;
  });

  const providers: Providers = {
    sendGridUrl: api.url,
    awsUrl: aws.url,
    plan: () => undefined,
    smtpPort: smtp.port,
    realSmtpPort: smtp.port,
    injected: () => injected,
    close() {
      for (const server of [api, smtp, aws]) server.close();
    },
  };
  return providers;
}

/** The SMTP server's form of a fault such as `reply 450`. */
function replyOf(fault: string): Error {
  const code = Number(/\d+/.exec(fault));
  return reply(code, `${Math.floor(code / 100)}.0.0 Not ${code < 500 ? 'now' : 'here'}`);
}
