/** The state of a mail for one recipient, as a sentence that can be read out on the phone. */
import type { FoundMail, FoundRecipient } from '../../../lambda/recipients/found-mail.ts';
import { LEFT_OUT } from '../../../lambda/recording/rows.ts';

const PROVIDER_NAMES: Readonly<Record<string, string>> = {
  sendgrid: 'SendGrid',
  'customers-mail-cloud': 'Customers Mail Cloud',
};

/**
 * @param nowMs the year is left out if it is the current one
 * @param timeZone an IANA name; by default the machine's own
 */
export function outcomeSentence(
  { state, occurredAt, reason, bounceClass }: Omit<FoundRecipient, 'email'>,
  { provider, sentAt, mailId }: Pick<FoundMail, 'provider' | 'sentAt' | 'mailId'>,
  nowMs: number,
  timeZone?: string,
): string {
  const when = spoken(occurredAt, nowMs, timeZone);
  const sent = spoken(sentAt, nowMs, timeZone);
  const by = PROVIDER_NAMES[provider ?? ''] ?? 'the provider';
  // For Customers Mail Cloud the log row is written before the handover, which may be deferred for hours.
  const handedOver =
    provider === 'customers-mail-cloud' ? `logged${sent} for handover to ${by}` : `handed over to ${by}${sent}`;
  const itemSays = provider === 'customers-mail-cloud' && mailId !== undefined ? `item ${plain(mailId)} of Mail` : '';
  const answered = reason ? `; the receiving server answered ${plain(reason)}` : '';
  const because = reason ? `: ${plain(reason)}` : '';
  switch (state) {
    case 'delivered':
      return `delivered${when}${answered}`;
    case 'bounced':
      return `bounced${when}, ${BOUNCE_CLASS_WORDS[bounceClass ?? ''] ?? BOUNCE_CLASS_WORDS['undetermined']}${answered}`;
    case 'dropped':
      if (reason?.startsWith(LEFT_OUT)) return `not sent${when}${because}`;
      return `dropped${when}: ${by} did not try to deliver it${because}`;
    case 'failed':
      return `failed${when}${because}`;
    case 'complained':
      return `delivered, and reported as spam${when}`;
    case 'deferred':
      return `deferred${when}; ${by} keeps trying${answered}`;
    case 'queued':
      return `accepted by ${by}${when}; the receiving server has not answered yet`;
    case 'sent':
      return `${handedOver}; no event has been reported yet${itemSays && `. The ${itemSays} says whether it was handed over`}`;
    case 'no-news':
      return `no news: it was ${handedOver}, and no event has been reported since. Check ${itemSays && `the ${itemSays} and `}the webhook of ${by}`;
    case 'waiting':
      return 'not sent yet: it waits to be sent';
    case 'sending':
      return `not sent yet: it is being sent${because}`;
    default:
      return `${state}${when}${because}`;
  }
}

const BOUNCE_CLASS_WORDS: Readonly<Record<string, string>> = {
  hard: 'and this address will not work later either',
  soft: 'and it may work later',
  undetermined: 'and it is unknown whether it may work later',
};

/** ` on 24 Nov at 10:03`; `""` for what is no time. */
export function spoken(iso: string | undefined, nowMs: number, timeZone?: string): string {
  const ms = Date.parse(iso ?? '');
  if (Number.isNaN(ms)) return '';
  const parts = (atMs: number) => {
    const format = new Intl.DateTimeFormat('en-GB', {
      year: 'numeric',
      month: 'short',
      day: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
      timeZone,
    });
    return Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  };
  const at = parts(ms);
  const year = at['year'] === parts(nowMs)['year'] ? '' : ` ${at['year']}`;
  return ` on ${at['day']} ${at['month']}${year} at ${at['hour']}:${at['minute']}`;
}

/** On one line, and without what a terminal would take for a command. */
export const plain = (text: string): string => text.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
