/** Claims an item, has it handed over, and writes down what became of it. */
import { LoggableError, log } from '../aws/log.ts';
import { type Counts, metricFields } from '../aws/metric.ts';
import type { StreamRecord } from '../aws/stream-record.ts';
import { type OutgoingMail, outgoingMail } from '../mail/outgoing-mail.ts';
import { providerOf } from '../mail/provider.ts';
import { HandoverError } from '../providers/sender.ts';
import { expirySeconds } from '../recording/rows.ts';
import { type Beginning, handOver, MAX_ATTEMPTS, mayPass } from './hand-over.ts';
import { CLAIM_MARGIN_MS, type Invocation, RESERVE_MS, RETRY_FOR_MS } from './invocation.ts';
import type { Claim, SendingResult } from './mail-table.ts';
import type { Pause } from './places.ts';
import { persist } from './retry.ts';

/** Between two looks at a claim that another invocation holds. */
const LONGEST_CLAIM_WAIT_MS = 5_000;
const HOW_TO_SEND_AGAIN = 'To send it again, mend this and delete status';

/**
 * Sends an item, unless it was sent already.
 *
 * @throws Error where the record is to be delivered again
 */
export async function sendItem(record: StreamRecord, invocation: Invocation, pause: Pause): Promise<void> {
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
  if (mail instanceof Error) return fail(mail, claim, invocation);
  let sent: SendingResult;
  try {
    sent = await handOver(beginning, mail, invocation, pause);
  } catch (error) {
    if (!(error instanceof HandoverError)) throw error;
    if (mayPass(error, beginning)) {
      await invocation.mails.release(claim, Date.now(), {
        error: `${error.message}; it will be tried again`,
        // What the provider puts off is no beginning that came to no end.
        attempts: error.ofMailboxes ? claim.attempts : claim.attempts - 1,
      });
      // Not in the provider's words: these may quote the mail.
      throw new LoggableError(`Cannot send the item ${claim.id} now: its error says why`, { cause: error });
    }
    // A key that was revoked stops all mail: that is for an alarm, not for an item.
    return fail(error, claim, invocation, error.kind === 'unauthorized' ? { UnauthorizedHandovers: 1 } : {});
  }
  await persist(invocation.endsAtMs, () => finish(claim, sent, invocation, { Sent: 1 }));
}

/**
 * Claims an item, where another invocation holds it as soon as its claim lapses. Lambda delivers what failed again at
 * once: so the waiting is done here, or it would call for nothing again and again.
 *
 * @throws LoggableError where too little of the invocation is left to begin
 */
async function claimWhenFree(id: string, { mails, endsAtMs }: Invocation, pause: Pause) {
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

function fail({ message }: Error, claim: Claim, invocation: Invocation, counts: Counts = {}): Promise<void> {
  const error = `${message}. ${HOW_TO_SEND_AGAIN}`;
  // The claim counts a beginning, also where all of them are used up.
  const attempts = Math.min(claim.attempts, MAX_ATTEMPTS);
  return finish(claim, { status: 'failed', error, attempts }, invocation, { NotSent: 1, ...counts });
}

async function finish(claim: Claim, result: SendingResult, invocation: Invocation, counts: Counts): Promise<void> {
  await invocation.mails.finish(claim, result, expirySeconds(Date.now(), invocation.retentionDays));
  log(result.status === 'sent' ? 'info' : 'warn', 'mail', {
    mailId: claim.id,
    status: result.status,
    attempts: result.attempts ?? claim.attempts,
    messageId: result.messageId,
    ...metricFields(providerOf(claim.item), counts),
  });
}
