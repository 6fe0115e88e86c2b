/** A bounce's verdict, and all its attributes. */
import type { Bounce } from '../../shared/api.ts';
import { Mark, Text, Time } from '../parts.tsx';
import { useSay, wordFor } from '../settings.tsx';

/** Outcome, class and cause of a bounce, and whether its mail was found. */
export function Verdict({ bounce }: { bounce: Bounce }) {
  const say = useSay();
  const { outcome = 'unrecognized', bounceClass, cause, smtpCode, enhancedStatusCode, matched } = bounce;
  const codes = [smtpCode, enhancedStatusCode].filter(Boolean).join(' ');
  return (
    <span class="verdict">
      <Mark state={outcome} />
      {bounceClass && (
        <span class={`tag tag-${bounceClass}`} title={wordFor(say, 'classHint', bounceClass)}>
          {wordFor(say, 'class', bounceClass)}
        </span>
      )}
      {cause && cause !== 'unknown' && <span class="cause">{wordFor(say, 'cause', cause)}</span>}
      {codes && <code>{codes}</code>}
      {!matched && outcome !== 'blocklisted' && (
        <span class="tag tag-unmatched" title={say('unmatchedHint')}>
          {say('unmatched')}
        </span>
      )}
    </span>
  );
}

const TIMES = new Set(['occurredAt', 'receivedAt', 'sentAt']);
const FIRST = ['occurredAt', 'receivedAt', 'toEmail', 'toName', 'subject', 'fromEmail', 'fromName', 'reason'];

/** Every attribute of a row, by the names that it has in the table. */
export function AllAttributes({ row }: { row: Readonly<Record<string, unknown>> }) {
  const names = Object.keys(row).filter((name) => row[name] !== undefined && row[name] !== '');
  const place = (name: string) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return (
    <dl class="attributes">
      {names
        .sort((a, b) => place(a) - place(b))
        .map((name) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Value name={name} value={row[name]} />
            </dd>
          </div>
        ))}
    </dl>
  );
}

function Value({ name, value }: { name: string; value: unknown }) {
  if (typeof value === 'string') {
    if (TIMES.has(name)) return <Time iso={value} full />;
    return <Text>{value}</Text>;
  }
  if (typeof value !== 'object' || value === null) return <Text>{String(value)}</Text>;
  return <pre>{JSON.stringify(value, null, 2)}</pre>;
}
