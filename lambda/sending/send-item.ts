/** Makes one attempt of a sending: claims the item, hands its message over, and writes the result. */
import { errorFields, errorName, log } from '../aws/log.ts';
import { type Counts, metricFields } from '../aws/metric.ts';
import { type OutgoingMail, outgoingMail } from '../mail/outgoing-mail.ts';
import { providerOf } from '../mail/provider.ts';
import { type NotSent, notSent, type Sent } from '../providers/sender.ts';
import { expirySeconds } from '../recording/rows.ts';
import { handOver, messageIdOf, recordLeftOut, recordNotSent, recordSent } from './hand-over.ts';
import { CLAIM_MARGIN_MS, type Invocation, RESERVE_MS } from './invocation.ts';
import { type Claim, type SendingResult, ticket } from './mail-table.ts';
import { backoffMs, MAX_ATTEMPTS, type NextStep, nextStep, retryTime } from './next-step.ts';
import { retryUntil } from './retry.ts';
import type { Sending } from './sending.ts';
import { allLeftOutText, type CheckedMail, leaveOutSuppressed, recipientsOf } from './suppressed-recipients.ts';

const HOW_TO_SEND_AGAIN = 'To send it again, fix this and delete the attribute status';

/** No claim lasts longer. */
const LONGEST_CLAIM_MS = 15 * 60_000;
/** If an attempt throws this long after the item was put, the sending is given up. It goes to FailureQueue. */
const GIVE_UP_AFTER_MS = 12 * 3_600_000;
/** A retry of an item that was put longer ago counts as `RetriedLate`, the metric of the alarm LateMails. */
const LATE_AFTER_MS = 3_600_000;

/**
 * Makes the next attempt of a sending, unless the item was sent already. If the item cannot be sent now, puts the
 * sending into RetryQueue.
 *
 * @throws Error if the record or message must be delivered again: RetryQueue did not accept the sending, or it is given
 * up
 */
export async function sendItem(sending: Sending, invocation: Invocation): Promise<void> {
  const { mails, retries, breakers, endsAtMs } = invocation;
  const nowMs = Date.now();
  if (sending.nextAttemptAtMs > nowMs) return retries.put(sending);
  if (nowMs > endsAtMs - RESERVE_MS) return retries.put({ ...sending, nextAttemptAtMs: nowMs });
  const deferral = breakers?.[sending.provider].open(nowMs);
  if (deferral) return postpone(sending, deferral, invocation);

  const sendingUntil = ticket(endsAtMs + CLAIM_MARGIN_MS);
  try {
    const result = await mails.claim(sending, nowMs, sendingUntil);
    if (result.kind === 'busy') return await waitForClaim(sending, result.untilMs, invocation);
    if (result.kind === 'unclaimable') {
      log('error', 'Cannot send: the item is too large to get a status; make it smaller', {
        mailId: sending.id,
        ...metricFields(sending.provider, { NotSent: 1 }),
      });
    }
    if (result.kind !== 'claimed') return;
    await attempt({ ...sending, wasClaimed: true }, result.claim, invocation);
  } catch (error) {
    // Given up: Lambda or SQS moves it to FailureQueue, where a person sees it.
    if (Date.now() > sending.putAtMs + GIVE_UP_AFTER_MS) throw error;
    log('warn', 'Cannot finish an attempt: it will be made again', {
      mailId: sending.id,
      ...errorFields(error),
      ...metricFields(sending.provider, retried(sending)),
    });
    // The item may still have the claim of this attempt. Then the next attempt takes it over after it has lapsed.
    await retries.put({ ...sending, ...next(sending) });
  }
}

/**
 * Another invocation has claimed the item. When that claim lapses, the next attempt checks whether the item was sent.
 */
async function waitForClaim(sending: Sending, untilMs: number, { retries, endsAtMs }: Invocation): Promise<void> {
  if (untilMs > endsAtMs + LONGEST_CLAIM_MS) {
    log('error', 'Cannot send: sendingUntil of the item is too far in the future; delete the attribute status', {
      mailId: sending.id,
      ...metricFields(sending.provider, { NotSent: 1 }),
    });
    return;
  }
  await retries.put({ ...sending, nextAttemptAtMs: untilMs + 1 });
}

/** The provider is down. The item is deferred without an attempt, and its `error` says why. */
async function postpone(sending: Sending, deferral: NotSent, { mails, retries }: Invocation): Promise<void> {
  const atMs = retryTime(sending, deferral.retryAtMs, Date.now(), Math.random());
  const nextAttemptAt = ticket(atMs);
  // First the message. If the item cannot be written after it, the message can claim the unchanged item.
  await retries.put({ ...sending, tickets: [nextAttemptAt], nextAttemptAtMs: atMs, deferrals: sending.deferrals + 1 });
  try {
    await mails.postpone(sending.id, { nextAttemptAt, error: `${deferral.reason}; it will be tried again` });
  } catch (error) {
    log('warn', 'Cannot write the time of the next attempt', { mailId: sending.id, ...errorFields(error) });
  }
  log('info', 'mail', { mailId: sending.id, nextAttemptAt, ...metricFields(sending.provider, retried(sending)) });
}

async function attempt(before: Sending, claim: Claim, invocation: Invocation): Promise<void> {
  const mail = readItem(claim);
  if (mail instanceof Error) return fail(mail.message, claim, invocation);
  const checked = await leaveOutSuppressed(mail, invocation).catch((error: unknown) =>
    notSent(
      'deferred',
      'account',
      `Cannot check whether the recipients are suppressed, so the mail was not sent: ${errorName(error)}`,
    ),
  );
  if ('kind' in checked) {
    return goOnAfter(checked, before, { mail, sendable: mail, leftOut: [] }, claim, invocation);
  }
  if (recipientsOf(checked.sendable).length === 0) return failSuppressed(checked, before, claim, invocation);
  const { handover, sending } = await handOver(before, checked, invocation);
  reportTo(invocation, sending, mail, handover);
  if (handover.kind === 'sent') return finishSent(handover, sending, checked, claim, invocation);
  await goOnAfter(handover, sending, checked, claim, invocation);
}

/** Fails an item whose recipients are all suppressed. Nothing is handed over. */
async function failSuppressed(checked: CheckedMail, sending: Sending, claim: Claim, invocation: Invocation) {
  const { mail, leftOut } = checked;
  const messageId = messageIdOf(sending, mail);
  await recordLeftOut(messageId, sending.putAtMs, checked, invocation);
  // Not counted as NotSent, which raises an alarm, because nobody has to act.
  const counts = { NotSent: 0, Suppressed: leftOut.length };
  await fail(allLeftOutText(leftOut), claim, invocation, counts, messageId);
}

/** Defers or fails an item whose message was not sent. */
async function goOnAfter(
  handover: NotSent,
  sending: Sending,
  checked: CheckedMail,
  claim: Claim,
  invocation: Invocation,
): Promise<void> {
  const step = nextStep(handover, { ...sending, attempts: claim.attempts }, Date.now(), Math.random());
  if (step.kind === 'retry') return defer(handover, step, sending, claim, invocation);
  await recordNotSent(handover, sending, checked, invocation);
  // Credentials that were refused stop all mail, so they have an alarm of their own.
  const isUnauthorized = handover.kind === 'refused' && handover.blames === 'account';
  await fail(handover.reason, claim, invocation, isUnauthorized ? { UnauthorizedHandovers: 1 } : {});
}

function reportTo({ breakers }: Invocation, { id }: Sending, { provider }: OutgoingMail, handover: NotSent | Sent) {
  const breaker = breakers?.[provider];
  if (handover.kind !== 'deferred') breaker?.answered();
  else if (handover.blames === 'provider') breaker?.deferred(id, handover, Date.now());
}

function readItem(claim: Claim): OutgoingMail | Error {
  if (claim.attempts > MAX_ATTEMPTS) {
    return new Error(`Cannot send: it was tried ${MAX_ATTEMPTS} times without an answer`);
  }
  try {
    return outgoingMail(claim.item);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function finishSent(
  handover: Sent,
  sending: Sending,
  checked: CheckedMail,
  claim: Claim,
  invocation: Invocation,
) {
  const sentAtMs = Date.now();
  const problems = await recordSent(handover, sending, checked, sentAtMs, invocation);
  const error = problems.length === 0 ? undefined : `Sent, but ${problems.join('; ')}`;
  const sentAt = new Date(sentAtMs).toISOString();
  const result = { status: 'sent', messageId: handover.messageId, sentAt, error } as const;
  await retryUntil(invocation.endsAtMs, () =>
    finish(claim, result, invocation, { Sent: 1, Suppressed: checked.leftOut.length }),
  );
}

/** Puts the sending into RetryQueue, then releases the claim. */
async function defer(
  { reason }: NotSent,
  { atMs, attempts }: Extract<NextStep, { kind: 'retry' }>,
  sending: Sending,
  claim: Claim,
  { mails, retries }: Invocation,
): Promise<void> {
  const nextAttemptAt = ticket(atMs);
  // First the message, or a crash between the two would lose the sending. The message waits until the claim is released
  // or has lapsed.
  await retries.put({
    ...sending,
    tickets: [nextAttemptAt, claim.sendingUntil],
    nextAttemptAtMs: atMs,
    deferrals: sending.deferrals + 1,
  });
  try {
    await mails.defer(claim, { nextAttemptAt, attempts, error: `${reason}; it will be tried again` });
  } catch (error) {
    log('warn', 'Cannot release the claim on an item: it expires by itself', {
      mailId: claim.id,
      ...errorFields(error),
    });
  }
  // Without the provider's words, because they may quote the mail.
  log('info', 'mail', {
    mailId: claim.id,
    status: 'sending',
    attempts,
    nextAttemptAt,
    ...metricFields(sending.provider, retried(sending)),
  });
}

const retried = ({ putAtMs }: Sending): Counts => ({
  Retried: 1,
  RetriedLate: Date.now() > putAtMs + LATE_AFTER_MS ? 1 : 0,
});

/** The time of the next attempt after one that threw, and the new number of deferrals. */
const next = ({ deferrals }: Sending) => ({
  deferrals: deferrals + 1,
  nextAttemptAtMs: Math.round(Date.now() + backoffMs(deferrals, Math.random())),
});

function fail(
  reason: string,
  claim: Claim,
  invocation: Invocation,
  counts: Counts = {},
  messageId?: string,
): Promise<void> {
  const error = `${reason}. ${HOW_TO_SEND_AGAIN}`;
  // The claim counted one attempt too many if they were used up.
  const attempts = Math.min(claim.attempts, MAX_ATTEMPTS);
  return finish(claim, { status: 'failed', messageId, error, attempts }, invocation, { NotSent: 1, ...counts });
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
