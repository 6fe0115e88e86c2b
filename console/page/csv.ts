/** Writes lists as CSV. */
import type { Bounce, ListedMail } from '../shared/api.ts';

const COLUMNS = [
  'occurredAt',
  'receivedAt',
  'toEmail',
  'toName',
  'outcome',
  'bounceClass',
  'cause',
  'smtpCode',
  'enhancedStatusCode',
  'reason',
  'subject',
  'fromEmail',
  'fromName',
  'provider',
  'event',
  'type',
  'matched',
  'messageId',
  'mailId',
  'fullMessageId',
  'eventId',
];

export const toCsv = (rows: readonly Bounce[]): string => csv(COLUMNS, rows);

const MAIL_COLUMNS = [
  'sentAt',
  'subject',
  'recipient',
  'name',
  'field',
  'state',
  'from',
  'provider',
  'messageId',
  'mailId',
];

/** A line for each recipient of each mail. */
export function mailsToCsv(mails: readonly ListedMail[]): string {
  const lines = mails.flatMap(({ states, from, sentAt, subject, provider, messageId, mailId }) =>
    states.map(({ email, name, field, state }) => {
      const mail = { sentAt, subject, provider, messageId, mailId, from: from?.email };
      return { ...mail, recipient: email, name, field, state };
    }),
  );
  return csv(MAIL_COLUMNS, lines);
}

/** RFC 4180, with a byte order mark, so that spreadsheets read it as UTF-8. */
function csv(columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((name) => row[name] ?? ''))];
  return `\ufeff${lines.map((cells) => cells.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** An apostrophe keeps spreadsheets from running a text as a formula. Senders and mail servers wrote these texts. */
function cell(value: unknown): string {
  const text = String(value);
  const safe =
    /^[\s\p{Cc}]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]/u.test(text) || /^[\t\r\n]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}
