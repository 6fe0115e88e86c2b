/** Makes the events that SendGrid would report for a mail. */

import type { Scheduled } from '../outbox.ts';
import { type SimulatedOutcome, simulatedOutcome } from '../simulated-outcome.ts';
import type { AcceptedMail } from './mail-send.ts';

/** An Event Webhook event, as it is posted. */
export type SendGridEvent = Readonly<Record<string, unknown>>;

/** One event of an outcome: the fields that are its own, and after how many delays it comes. */
type Step = { readonly delays: number; readonly event: string } & SendGridEvent;

const ACCOUNT_ID = 10994919;
const ATTEMPT = { ip: '149.72.0.1', tls: 1 };
const PROCESSED: Step = { delays: 0, event: 'processed' };
const DELIVERED: Step = { ...ATTEMPT, delays: 1, event: 'delivered', response: '250 2.0.0 OK 1705637073 - gsmtp' };

/** https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event */
const STEPS: Readonly<Record<SimulatedOutcome, readonly Step[]>> = {
  delivered: [PROCESSED, DELIVERED],
  bounce: [
    PROCESSED,
    {
      ...ATTEMPT,
      delays: 1,
      event: 'bounce',
      type: 'bounce',
      status: '5.1.1',
      bounce_classification: 'Invalid Address',
      reason:
        "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces. Learn more at <https://support.google.com/mail/?p=NoSuchUser> - gsmtp",
    },
  ],
  // A soft bounce is a bounce too, of another type.
  blocked: [
    PROCESSED,
    {
      ...ATTEMPT,
      delays: 1,
      event: 'bounce',
      type: 'blocked',
      status: '4.2.2',
      bounce_classification: 'Mailbox Unavailable',
      reason:
        '452 4.2.2 The email account that you tried to reach is over quota and inactive. Learn more at <https://support.google.com/mail/?p=OverQuotaTemp> - gsmtp',
    },
  ],
  dropped: [{ delays: 0, event: 'dropped', reason: 'Bounced Address', status: '5.0.0' }],
  deferred: [
    PROCESSED,
    {
      ...ATTEMPT,
      delays: 1,
      event: 'deferred',
      attempt: '1',
      response: '421 4.7.0 Try again later, closing connection.',
    },
    { ...DELIVERED, delays: 2 },
  ],
  complaint: [PROCESSED, DELIVERED, { delays: 2, event: 'spamreport' }],
};

/**
 * All events that a mail will have, by the outcome of each recipient.
 *
 * @param messageId the `X-Message-Id` that the request was answered with
 * @param acceptedAt Unix milliseconds
 * @param delayMs between two events of a recipient
 */
export function eventsOf(
  { recipients, categories }: AcceptedMail,
  messageId: string,
  acceptedAt: number,
  delayMs: number,
): Scheduled<SendGridEvent>[] {
  const acceptedAtHex = hex(Math.floor(acceptedAt / 1000));
  return recipients.flatMap(({ email, customArgs }, index) =>
    STEPS[simulatedOutcome(email)].map(({ delays, ...fields }) => {
      const dueAt = acceptedAt + delays * delayMs;
      const event = {
        // Custom arguments are on the same level as the fields. A field's own value wins.
        ...customArgs,
        ...fields,
        ...(categories.length > 0 ? { category: categories } : {}),
        // A complaint comes from the receiving side's feedback loop, which knows nothing of the SMTP conversation.
        ...(fields.event === 'spamreport' ? {} : { 'smtp-id': `<${messageId}@geopod-ismtpd-1>` }),
        email,
        timestamp: Math.floor(dueAt / 1000),
        sg_event_id: base64Url(`${fields.event}-${ACCOUNT_ID}-${messageId}-${index}`),
        sg_message_id: `${messageId}.recvd-5b6594c664-csn64-1-${acceptedAtHex}-${hex(index + 1)}.0`,
      };
      return { dueAt, event };
    }),
  );
}

function hex(number: number): string {
  return number.toString(16).toUpperCase();
}

function base64Url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
