/** Mails to hand over. */
import { expect } from 'vitest';
import type { OutgoingMail } from '../../../lambda/mail/outgoing-mail.ts';
import { HandoverError } from '../../../lambda/providers/sender.ts';

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
    ...fields,
  };
}

/** The error with which a handover failed; fails where it did not. */
export async function failureOf(handover: Promise<unknown>): Promise<HandoverError> {
  const error = await handover.then(
    () => expect.fail('was handed over'),
    (reason: unknown) => reason,
  );
  return error instanceof HandoverError ? error : expect.fail(`was not a HandoverError: ${error}`);
}
