/** Small parts that all views share. */
import type { ComponentChildren } from 'preact';
import type { RecipientState } from '../shared/api.ts';
import { useSay, useSettings, wordFor } from './settings.tsx';

/** One shape for each state, because colour alone must not tell them apart. */
const SHAPES: Readonly<Record<string, ComponentChildren>> = {
  waiting: <circle cx="8" cy="8" r="5.5" stroke-dasharray="2.4 2.2" />,
  sending: <path d="M3 8h9M8.500 4.500 12 8l-3.500 3.500" />,
  sent: <circle cx="8" cy="8" r="5.5" />,
  'no-news': <path d="M2.500 8a5.500 5.500 0 1 0 11 0 5.500 5.500 0 1 0-11 0M5.500 8h5" />,
  queued: <path d="M2.500 8a5.500 5.500 0 1 0 11 0 5.500 5.500 0 1 0-11 0M8 8h.01" />,
  deferred: <path d="M2.500 8a5.500 5.500 0 1 0 11 0 5.500 5.500 0 1 0-11 0M8 4.800V8l2.200 1.600" />,
  delivered: <path d="m3 8.500 3.400 3.400L13 4.600" />,
  bounced: <path d="m4 4 8 8M12 4l-8 8" />,
  dropped: <path d="M2.500 8a5.500 5.500 0 1 0 11 0 5.500 5.500 0 1 0-11 0M4.200 4.200l7.600 7.600" />,
  failed: <path d="M8 2.500 14.200 13H1.800ZM8 6.500v3M8 11.300h.01" />,
  complained: <path d="M4 14V2.500h8L9.800 5.500 12 8.500H4" />,
  blocklisted: <path d="M3 4h10M3 8h6M3 12h4M11 9.500l3 3M14 9.500l-3 3" />,
  unrecognized: <path d="M5.500 6a2.500 2.500 0 1 1 3.600 2.200C8.300 8.600 8 9.100 8 10M8 13h.01" />,
};

/** A state or an outcome: shape, word and colour. */
export function Mark({ state, count }: { state: string; count?: number }) {
  const say = useSay();
  return (
    <span class={`mark mark-${Object.hasOwn(SHAPES, state) ? state : 'unrecognized'}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <g fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">
          {SHAPES[state] ?? SHAPES['unrecognized']}
        </g>
      </svg>
      <span>{wordFor(say, 'state', state)}</span>
      {count !== undefined && count > 1 && <span class="count">{count}</span>}
    </span>
  );
}

/** The order of states: first those that somebody must act on. */
const WORST_FIRST = [
  'complained',
  'bounced',
  'dropped',
  'failed',
  'no-news',
  'deferred',
  'sent',
  'queued',
  'delivered',
];

/** The states of all recipients of a mail, at a glance. */
export function Glance({ states, more }: { states: readonly RecipientState[]; more: boolean }) {
  const counts = new Map<string, number>();
  for (const { state } of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  const names = [...counts.keys()].sort((a, b) => WORST_FIRST.indexOf(a) - WORST_FIRST.indexOf(b));
  return (
    <span class="glance">
      {names.map((state) => (
        <Mark key={state} state={state} count={counts.get(state) ?? 0} />
      ))}
      {more && '…'}
    </span>
  );
}

/** A time in the person's zone, with UTC on hover. */
export function Time({ iso, full = false }: { iso: string | undefined; full?: boolean }) {
  const { say, language } = useSettings();
  const date = new Date(iso ?? '');
  if (iso === undefined || Number.isNaN(date.getTime())) return <span class="faint">{say('noTime')}</span>;
  const utc = `${date.toISOString().slice(0, 19).replace('T', ' ')} ${say('utc')}`;
  return (
    <time dateTime={date.toISOString()} title={utc}>
      {timeText(date, language, full)}
    </time>
  );
}

/** Without the year if it is the current one, unless `full`. */
export function timeText(date: Date, language: string, full = false): string {
  const thisYear = date.getFullYear() === new Date().getFullYear();
  return new Intl.DateTimeFormat(language, {
    ...(full || !thisYear
      ? { year: 'numeric', month: '2-digit', day: '2-digit' }
      : { month: '2-digit', day: '2-digit' }),
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(full && { timeZoneName: 'short' }),
  }).format(date);
}

/** Text from outside, isolated in its writing direction, and never as markup. */
export function Text({ children }: { children: string | undefined }) {
  return <bdi class="text">{children}</bdi>;
}

interface MailboxProps {
  readonly email: string;
  readonly name?: string | undefined;
  /** The field that names the mailbox. cc and bcc are marked. */
  readonly field?: 'to' | 'cc' | 'bcc' | undefined;
}

/** A mailbox: the name, where there is one, and the address. */
export function Mailbox({ email, name, field }: MailboxProps) {
  return (
    <span class="mailbox">
      {name && (
        <>
          <Text>{name}</Text>{' '}
        </>
      )}
      <bdi class={name ? 'text faint' : 'text'}>{email}</bdi>
      {field && field !== 'to' && <span class="tag copy">{field}</span>}
    </span>
  );
}

/** A message beside the data. Screen readers announce a bad one. */
export function Notice({ tone, children }: { tone: 'bad' | 'plain'; children: ComponentChildren }) {
  return (
    <div class={`notice notice-${tone}`} role={tone === 'bad' ? 'alert' : 'note'}>
      {children}
    </div>
  );
}

export interface EmptyProps {
  readonly title: string;
  readonly hint: string;
  readonly link?: { readonly href: string; readonly text: string } | undefined;
}

/** Takes the place of an empty list, and says what to do. */
export function Empty({ title, hint, link }: EmptyProps) {
  return (
    <div class="empty">
      <img src="/icon.svg" alt="" width="44" height="44" />
      <p class="empty-title">{title}</p>
      <p>{hint}</p>
      {link && (
        <p>
          <a href={link.href}>{link.text}</a>
        </p>
      )}
    </div>
  );
}

export const numberText = (value: number, language: string): string => new Intl.NumberFormat(language).format(value);
