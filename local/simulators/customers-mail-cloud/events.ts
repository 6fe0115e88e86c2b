/** Makes the events that Customers Mail Cloud would report for a mail. */

import type { Scheduled } from '../outbox.ts';
import { type SimulatedOutcome, simulatedOutcome } from '../simulated-outcome.ts';

/** An entry of a webhook post and the `event_type` that it is posted under. */
export interface CustomersMailCloudEvent {
  readonly type: 'deliveries' | 'bounces';
  readonly entry: Readonly<Record<string, string>>;
}

/** The facts of a mail that the entries report. */
export interface ReceivedMail {
  /** The envelope's sender. */
  readonly returnPath: string;
  /** The address in the From header. */
  readonly from: string;
  /** The envelope's recipients. */
  readonly recipients: readonly string[];
  /** With angle brackets. */
  readonly messageId: string;
  readonly subject: string;
  /** The X-Api-Data header, or empty. */
  readonly apiData: string;
}

/** One event of an outcome; `at` says when it comes, in milliseconds after the mail. */
interface Step extends CustomersMailCloudEvent {
  readonly at: (delayMs: number) => number;
}

/** A `bounces` entry follows its `deliveries`/`failed` about a second later. */
const BOUNCE_LAG_MS = 1_000;

const atOnce = () => 0;
const delayed = (delayMs: number) => delayMs;
const delayedTwice = (delayMs: number) => 2 * delayMs;
const afterFailure = (delayMs: number) => delayMs + Math.min(delayMs, BOUNCE_LAG_MS);

/** Stands for the recipient's address in a reason. */
const RECIPIENT = '{to}';
const SENDER_IP = '100.100.100.3';
const NO_SUCH_USER =
  "550 5.1.1 The email account that you tried to reach does not exist. Please try 5.1.1 double-checking the recipient's email address for typos or 5.1.1 unnecessary spaces. Learn more at 5.1.1  <https://support.google.com/mail/?p=NoSuchUser> - gsmtp (in reply to RCPT TO)";
const MAILBOX_FULL =
  '452 4.2.2 The email account that you tried to reach is over quota. Please direct 4.2.2 the recipient to 4.2.2  <https://support.google.com/mail/?p=OverQuotaTemp> - gsmtp (in reply to RCPT TO)';
/** For an address on the block list: in the same second and post as `queued`, and no `bounces` follows (blog.smtps.jp). */
const SUPPRESSED = `Recipient address <${RECIPIENT}> is suppressed to send mail. (in reply to RCPT TO)`;
const TRY_LATER = '421 4.7.0 Try again later, closing connection. (in reply to RCPT TO)';

const QUEUED: Step = { at: atOnce, ...delivery('queued', { sourceIp: '100.100.100.1' }) };
const SUCCEEDED: Step = { at: delayed, ...delivery('succeeded', { senderIp: SENDER_IP }) };

/** Statuses: https://smtps.jp/docs-en/apiv2/webhook/event/ */
const STEPS: Readonly<Record<SimulatedOutcome, readonly Step[]>> = {
  delivered: [QUEUED, SUCCEEDED],
  bounce: [QUEUED, failed(NO_SUCH_USER), { at: afterFailure, ...bounce('2', NO_SUCH_USER) }],
  blocked: [QUEUED, failed(MAILBOX_FULL), { at: afterFailure, ...bounce('5', MAILBOX_FULL) }],
  dropped: [QUEUED, { at: atOnce, ...delivery('failed', { reason: SUPPRESSED }) }],
  deferred: [
    QUEUED,
    { at: delayed, ...delivery('deferred', { senderIp: SENDER_IP, reason: TRY_LATER }) },
    { ...SUCCEEDED, at: delayedTwice },
  ],
  // Customers Mail Cloud does not report complaints.
  complaint: [QUEUED, SUCCEEDED],
};

/**
 * All events that a mail will have, by the outcome of each recipient: entries of version 2.
 *
 * @param acceptedAt Unix milliseconds
 * @param delayMs between two events of a recipient
 * @param timeZone the account's, an IANA name: `created` is local time without an offset
 */
export function eventsOf(
  { recipients, ...mail }: ReceivedMail,
  acceptedAt: number,
  delayMs: number,
  timeZone: string,
): Scheduled<CustomersMailCloudEvent>[] {
  return recipients.flatMap((to) =>
    STEPS[simulatedOutcome(to)].map(({ at, type, entry }) => {
      const dueAt = acceptedAt + at(delayMs);
      const reason = entry['reason']?.replace(RECIPIENT, () => to) ?? '';
      return { dueAt, event: { type, entry: { ...mail, to, created: localTime(dueAt, timeZone), ...entry, reason } } };
    }),
  );
}

/** `YYYY-MM-DD HH:mm:ss` */
function localTime(epochMs: number, timeZone: string): string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const part = Object.fromEntries(format.formatToParts(epochMs).map(({ type, value }) => [type, value]));
  return `${part['year']}-${part['month']}-${part['day']} ${part['hour']}:${part['minute']}:${part['second']}`;
}

function delivery(status: string, fields: Readonly<Record<string, string>>): CustomersMailCloudEvent {
  return { type: 'deliveries', entry: { status, reason: '', sourceIp: '', senderIp: '', ...fields } };
}

function failed(reason: string): Step {
  return { at: delayed, ...delivery('failed', { senderIp: SENDER_IP, reason }) };
}

function bounce(status: string, reason: string): CustomersMailCloudEvent {
  return { type: 'bounces', entry: { status, reason } };
}
