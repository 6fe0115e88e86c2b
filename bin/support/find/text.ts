/** What `npm run find` prints. */
import { inOrder, timeOf } from '../../../lambda/mail/story.ts';
import type { FoundMail } from '../../../lambda/recipients/found-mail.ts';
import { counted } from '../../../local/counted.ts';
import { faint, heading } from '../terminal.ts';
import type { Answer } from './find.ts';
import { outcomeSentence, plain, spoken } from './sentence.ts';

/** The answer as JSON. What is not known is left out. */
export function answerJson({ recipient, mails }: Answer): string {
  const form = {
    ...(recipient && { recipient }),
    mails: mails.map(({ messageId, sentAt, provider, mailId, from, subject, unsent, recipients, events }) => ({
      messageId,
      sentAt,
      provider,
      mailId,
      from: from?.email,
      subject,
      state: unsent?.state,
      reason: unsent?.reason || undefined,
      recipients: recipients.map(({ email, name, state, occurredAt, reason, bounceClass }) => ({
        email,
        name,
        state,
        occurredAt,
        reason: reason || undefined,
        bounceClass,
      })),
      events: events.map((event) => ({
        occurredAt: timeOf(event),
        state: event.state,
        recipient: event.recipient,
        reason: event.reason || undefined,
      })),
    })),
  };
  return JSON.stringify(form, null, 2);
}

/** The answer for a person. */
export function answerText(text: string, answer: Answer, nowMs: number): string {
  const { recipient, mails, goesOn } = answer;
  if (mails.length === 0) return notFoundText(text, answer, nowMs);
  const lines = recipient
    ? [
        heading(`${recipient.email}: ${goesOn ? 'the newest ' : ''}${counted(mails.length, 'message')}, newest first`),
        ...suppressedLines(recipient, nowMs),
      ]
    : [];
  for (const mail of mails) lines.push('', ...mailLines(mail, recipient === undefined, nowMs));
  if (goesOn) lines.push('', 'There are older messages: --limit shows more.');
  return lines.join('\n');
}

function suppressedLines({ email, suppressed }: NonNullable<Answer['recipient']>, nowMs: number): string[] {
  if (suppressed === null) return [];
  const { since, reason, by } = suppressed;
  const why = { bounce: 'a hard bounce', complaint: 'a spam complaint', decision: 'a decision' }[by];
  return [
    `This address has been suppressed since ${why}${spoken(since, nowMs)}${reason ? `: ${plain(reason)}` : ''}`,
    `Todoke sends no mail to it, unless the setting suppression is off or the item has sendAnyway: true. To allow it: npm run suppressions -- remove ${email}`,
  ];
}

/** @param whole with every recipient and every event */
function mailLines(mail: FoundMail, whole: boolean, nowMs: number): string[] {
  const { subject, sentAt, recipients, unsent, events } = mail;
  const title = `${localTime(sentAt)}  ${plain(subject ?? '') || '(no subject)'}`;
  const states = recipients.map((recipient) => {
    const { email, name, field } = recipient;
    const who = `${name ? `${plain(name)} <${email}>` : email}${field && field !== 'to' ? ` (${field})` : ''}: `;
    return `    ${whole ? who : ''}${outcomeSentence(recipient, mail, nowMs)}`;
  });
  if (recipients.length === 0 && unsent) states.push(`    ${outcomeSentence(unsent, mail, nowMs)}`);
  const story = inOrder(events).map(
    ({ state, recipient, reason, ...event }) =>
      `      ${localTime(timeOf(event))}  ${state.padEnd(10)}  ${recipient ?? '(no recipient)'}${reason ? `  ${plain(reason)}` : ''}`,
  );
  return [heading(title), ...states, ...(whole ? story : []), `    ${faint(idsText(mail))}`];
}

function idsText({ from, provider, messageId, mailId }: FoundMail): string {
  const known = { from: from?.email, provider, 'message id': messageId, item: mailId };
  return Object.entries(known)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${plain(value)}`]))
    .join(', ');
}

function notFoundText(text: string, { recipient, back, nearest }: Answer, nowMs: number): string {
  const looked = recipient
    ? `for its events (SentLog, index byRecipient), for messages to it without an event that were sent since ${localTime(back)} (index byDay), and for a message or an item with this id`
    : 'for a message id (SentLog) and for an item id (Mail)';
  return [
    `Nothing was found for ${plain(text)}.`,
    `Looked ${looked}.`,
    'Possible reasons:',
    '  - The message was never logged, and its provider reported no event of it.',
    ...(recipient
      ? [
          '  - It is an item of Mail that was not sent: Mail has no index by recipient. `npm run resend -- --dry-run` lists these items.',
        ]
      : []),
    '  - It is older than the retention period (setting retentionDays), and its rows were deleted.',
    `  - It is spelled differently${recipient ? '' : ', or the id is incomplete'}.`,
    ...(nearest === undefined ? [] : [`Did you mean ${plain(nearest)}? Messages were sent to that address lately.`]),
    ...(recipient ? suppressedLines(recipient, nowMs) : []),
  ].join('\n');
}

/** `2026-11-24 10:03:05` on this machine's clock. */
function localTime(iso: string | undefined): string {
  const ms = Date.parse(iso ?? '');
  if (Number.isNaN(ms)) return '(no time)          ';
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace('T', ' ');
}
