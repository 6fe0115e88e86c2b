/** Sends the items of the Mail table that have no status, and logs them. On the stream of the Mail table. */
import type { Context, DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { environmentVariable } from './aws/environment.ts';
import { eventStore } from './aws/event-store.ts';
import { errorFields, errorName, LoggableError, log } from './aws/log.ts';
import { type Claim, mailTable, type SendingResult } from './aws/mail-table.ts';
import { type Counts, metricFields } from './aws/metric.ts';
import { cachedSecret, UnreadableSecret } from './aws/secrets.ts';
import { senderSecretSchema } from './aws/sender-secret.ts';
import { sentLog } from './aws/sent-log.ts';
import { forEachRecord, type StreamRecord } from './aws/stream-record.ts';
import { documentClient, isInvalidItem } from './aws/tables.ts';
import { messageIdFor } from './mail/message-id.ts';
import { type OutgoingMail, outgoingMail } from './mail/outgoing-mail.ts';
import { ofEachProvider, type Provider, providerOf } from './mail/provider.ts';
import { expirySeconds } from './mail/rows.ts';
import { HandoverError } from './senders/handover.ts';
import { type Pause, type Places, places } from './senders/places.ts';
import { persist, retryHandover } from './senders/retry.ts';
import { openSenders, type Senders, unavailableSenders } from './senders/senders.ts';

const senderSecret = cachedSecret(environmentVariable('SENDER_SECRET'), senderSecretSchema);
const sendGridApiUrl = environmentVariable('SENDGRID_API_URL');
const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const client = documentClient();
const mails = mailTable(client, environmentVariable('MAIL_TABLE'));
const sent = sentLog(eventStore(client), retentionDays);

/** A mail whose sending was begun this often without coming to an end is given up; so is one that its mailboxes put off. */
const MAX_ATTEMPTS = 5;
/**
 * So long after its record was written a mail waits for a provider that takes none. By far less than the age at which the
 * stream gives records up: whatever waits behind it must be read before that, to become `failed` too.
 */
export const RETRY_FOR_MS = 6 * 3_600_000;
/** After that it is tried for so long, once: in a long outage all that waits behind it must have its turn in time. */
const LAST_TRY_FOR_MS = 5_000;
/** What is left of the invocation's time when no further try is begun: longer than one handover with its log row. */
export const RESERVE_MS = 40_000;
/** How long a claim outlives the invocation that made it. */
export const CLAIM_MARGIN_MS = 10_000;
/** Between two looks at a claim that another invocation holds. */
const LONGEST_CLAIM_WAIT_MS = 5_000;

/** One delivery of a batch. */
interface Invocation {
  readonly senders: Senders;
  /** Each provider's own: one that is slow or down holds up no mail of the other's in this batch. */
  readonly places: Readonly<Record<Provider, Places>>;
  /** Unix milliseconds. */
  readonly endsAtMs: number;
}

export async function handler(event: DynamoDBStreamEvent, context: Context): Promise<DynamoDBBatchResponse> {
  const endsAtMs = Date.now() + context.getRemainingTimeInMillis();
  const senders = await senderSecret().then(
    (secret) => openSenders(secret, sendGridApiUrl),
    (error) => sendersWithout(error),
  );
  const invocation: Invocation = {
    senders,
    places: ofEachProvider((provider) => places(senders[provider].handoversAtOneTime)),
    endsAtMs,
  };
  try {
    // All at once: what waits to be tried again leaves its place to the next, so that in an outage every mail is tried.
    return await forEachRecord(
      event,
      event.Records.length,
      (record) => invocation.places[providerOf(record.row)]((pause) => sendItem(record, invocation, pause)),
      (record) => metricFields(providerOf(record.row), { Retried: 1 }),
    );
  } finally {
    for (const sender of Object.values(senders)) sender.close();
  }
}

/** Without the secret every mail says why it was not sent, and none holds up the others. */
function sendersWithout(error: unknown): Senders {
  if (!(error instanceof UnreadableSecret)) throw error;
  const kind = error.temporary ? 'temporary' : 'unauthorized';
  return unavailableSenders(kind, `Cannot send: the sender secret cannot be read: ${error.message}`);
}

/** @throws Error where the record is to be delivered again */
async function sendItem(record: StreamRecord, invocation: Invocation, pause: Pause): Promise<void> {
  const id = String(record.row['id']);
  const result = await claimWhenFree(id, invocation, pause);
  if (result.kind === 'unclaimable') {
    // Nothing can be written into the item, and trying again would hold up those behind it.
    log('error', 'Cannot send: the item leaves no room for a status; make it smaller', { mailId: id });
    return;
  }
  if (result.kind === 'done') return;

  const { claim } = result;
  const beginning: Beginning = { record, claim, isLast: Date.now() >= record.writtenAtMs + RETRY_FOR_MS };
  const mail = readItem(claim);
  const fail = ({ message }: Error, counts: Counts = {}) => {
    const error = `${message}. ${HOW_TO_SEND_AGAIN}`;
    // The claim counts a beginning, also where all of them are used up.
    const attempts = Math.min(claim.attempts, MAX_ATTEMPTS);
    return finish(claim, { status: 'failed', error, attempts }, providerOf(claim.item), { NotSent: 1, ...counts });
  };
  if (mail instanceof Error) return fail(mail);
  try {
    await handOver(beginning, mail, invocation, pause);
  } catch (error) {
    if (!(error instanceof HandoverError)) throw error;
    if (mayPass(error, beginning)) {
      await mails.release(claim, Date.now(), {
        error: `${error.message}; it will be tried again`,
        // What the provider puts off is no beginning that came to no end.
        attempts: error.ofMailboxes ? claim.attempts : claim.attempts - 1,
      });
      // Not in the provider's words: these may quote the mail.
      throw new LoggableError(`Cannot send the item ${claim.id} now: its error says why`, { cause: error });
    }
    // A key that was revoked stops all mail: that is for an alarm, not for an item.
    await fail(error, error.kind === 'unauthorized' ? { UnauthorizedHandovers: 1 } : {});
  }
}

/** A delivery of an item's record that has claimed the item. */
interface Beginning {
  readonly record: StreamRecord;
  readonly claim: Claim;
  /** The provider has had its time: what it does not take now ends as failed. */
  readonly isLast: boolean;
}

/** Whether it is worth another delivery. */
function mayPass({ kind, ofMailboxes }: HandoverError, { claim, isLast }: Beginning): boolean {
  return kind === 'temporary' && !isLast && (!ofMailboxes || claim.attempts < MAX_ATTEMPTS);
}

/**
 * Claims an item, where another invocation holds it as soon as its claim lapses. Lambda delivers what failed again at
 * once: so the waiting is done here, or it would call for nothing again and again.
 *
 * @throws LoggableError where too little of the invocation is left to begin
 */
async function claimWhenFree(id: string, { endsAtMs }: Invocation, pause: Pause) {
  let why = `Cannot begin with the item ${id}: too little of the invocation is left`;
  for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, LONGEST_CLAIM_WAIT_MS)) {
    const nowMs = Date.now();
    if (nowMs > endsAtMs - RESERVE_MS) throw new LoggableError(why);
    const result = await mails.claim(id, nowMs, endsAtMs + CLAIM_MARGIN_MS);
    if (result.kind !== 'busy') return result;
    why = `Cannot begin with the item ${id}: another invocation holds it until ${new Date(result.untilMs).toISOString()}`;
    await pause(Math.min(waitMs, Math.max(0, result.untilMs - nowMs) + 1));
  }
}

const HOW_TO_SEND_AGAIN = 'To send it again, mend this and delete status';

function readItem(claim: Claim): OutgoingMail | Error {
  if (claim.attempts > MAX_ATTEMPTS) {
    return new Error(`Cannot send: it was begun ${MAX_ATTEMPTS} times and never came to an end`);
  }
  try {
    return outgoingMail(claim.item);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function handOver(beginning: Beginning, mail: OutgoingMail, invocation: Invocation, pause: Pause): Promise<void> {
  const { record, claim, isLast } = beginning;
  const chosenId = messageIdFor(`${record.eventId} ${record.writtenAtMs} ${mail.id}`, domainOf(mail.from.email));
  const sender = invocation.senders[mail.provider];
  const deadlineMs = invocation.endsAtMs - RESERVE_MS;

  // Not now: a record that comes again after a crash must tell of a refusal in the place where it was told of.
  const refusedAtMs = record.writtenAtMs;
  let isLogged = false;
  const handOverOnce = async () => {
    // Where the sender chooses the Message-ID, the mail is logged before it leaves: no event can come before its log row.
    if (sender.choosesMessageId && !isLogged) {
      await logBeforehand(mail, chosenId);
      isLogged = true;
    }
    return sender.send(mail, chosenId);
  };
  const triedUntilMs = isLast ? Math.min(deadlineMs, Date.now() + LAST_TRY_FOR_MS) : deadlineMs;
  const { messageId, refused } = await retryHandover(handOverOnce, triedUntilMs, pause).catch(async (error) => {
    if (isLogged && error instanceof HandoverError && !mayPass(error, beginning)) {
      const isOurFault = error.kind === 'unauthorized';
      await sent.logRefusals(mail, chosenId, refusalsOfAll(mail, error.message), refusedAtMs, { isOurFault });
    }
    throw error;
  });

  // The mail is out. Whatever happens now, it must be written down and must not go out again.
  const sentAtMs = Date.now();
  const problems = refused.map(({ recipient, reply }) => `${recipient} was refused: ${reply}`);
  if (messageId === undefined) {
    log('error', 'Cannot log a mail that was sent: its provider named no message id', { mailId: mail.id });
    problems.push('its provider named no message id: its events cannot be joined');
  } else {
    try {
      await persist(deadlineMs + RESERVE_MS / 2, async () => {
        if (!isLogged) await sent.logMail(mail, messageId, sentAtMs);
        await sent.logRefusals(mail, messageId, refused, refusedAtMs);
      });
    } catch (error) {
      log('error', 'Cannot log a mail that was sent', { mailId: mail.id, messageId, ...errorFields(error) });
      problems.push('it could not be logged: its events will be unmatched');
    }
  }
  const error = problems.length === 0 ? undefined : `Sent, but ${problems.join('; ')}`;
  const sentAt = new Date(sentAtMs).toISOString();
  const result = { status: 'sent', messageId, sentAt, error } as const;
  await persist(invocation.endsAtMs, () => finish(claim, result, mail.provider, { Sent: 1 }));
}

/** @throws HandoverError where storage does not take it: it is waited for as a provider is, or has refused the mail */
async function logBeforehand(mail: OutgoingMail, messageId: string): Promise<void> {
  try {
    await sent.logMail(mail, messageId, Date.now());
  } catch (error) {
    const kind = isInvalidItem(error) ? 'refused' : 'temporary';
    throw new HandoverError(kind, `Cannot log the mail, so it was not sent: ${errorName(error)}`, { cause: error });
  }
}

function refusalsOfAll({ to, cc, bcc }: OutgoingMail, reply: string) {
  return [...to, ...cc, ...bcc].map(({ email }) => ({ recipient: email, reply }));
}

async function finish(claim: Claim, result: SendingResult, provider: Provider, counts: Counts): Promise<void> {
  await mails.finish(claim, result, expirySeconds(Date.now(), retentionDays));
  log(result.status === 'sent' ? 'info' : 'warn', 'mail', {
    mailId: claim.id,
    status: result.status,
    attempts: result.attempts ?? claim.attempts,
    messageId: result.messageId,
    ...metricFields(provider, counts),
  });
}

function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1);
}
