/** Mails for the tests of handovers. */
import { expect } from 'vitest';
import type { OutgoingMail } from '../../../lambda/mail/outgoing-mail.ts';
import type { Handover, NotSent } from '../../../lambda/providers/sender.ts';

/** A mail that can be handed over. */
export function mail(fields: Partial<OutgoingMail> = {}): OutgoingMail {
  return {
    id: 'welcome-1',
    provider: 'sendgrid',
    from: { email: 'shop@example.com', name: 'Shop' },
    to: [{ email: 'ann@example.com', name: 'Ann' }],
    cc: [],
    bcc: [],
    replyTo: [],
    subject: 'Hello',
    content: 'Hello Ann',
    html: '',
    headers: {},
    sendAnyway: false,
    ...fields,
  };
}

/** The failure of a handover. Fails if the mail was sent. */
export async function failureOf(handover: Promise<Handover>): Promise<NotSent> {
  const result = await handover;
  return result.kind === 'sent' ? expect.fail('was handed over') : result;
}
