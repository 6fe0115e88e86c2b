/** Bounces as CSV. */
import type { Bounce } from '../shared/api.ts';

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

/** RFC 4180, with a byte order mark, by which spreadsheets know UTF-8. */
export function toCsv(rows: readonly Bounce[]): string {
  const lines = [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => row[name] ?? ''))];
  return `\ufeff${lines.map((cells) => cells.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** A spreadsheet runs what begins so as a formula, whatever a sender wrote there; an apostrophe makes it text. */
function cell(value: unknown): string {
  const text = String(value);
  const safe =
    /^[\s\p{Cc}]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]/u.test(text) || /^[\t\r\n]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}
