/** The filters above the mails. They are kept in the page's URL, which can be sent to somebody else. */
import { useEffect, useState } from 'preact/hooks';
import { mailboxKey } from '../../../lambda/mail/address.ts';
import { PROVIDERS } from '../../../lambda/mail/provider.ts';
import type { ListedMail, MailFilter } from '../../shared/api.ts';
import { currentQuery, type Query, replaceQuery } from '../route.ts';
import { useSay, wordFor } from '../settings.tsx';
import { Choice, Moment } from './bounce-filters.tsx';

/** How long after the last key press the filter takes effect. */
const TYPING_MS = 350;

const STATES = [
  'sent',
  'no-news',
  'queued',
  'deferred',
  'delivered',
  'bounced',
  'dropped',
  'failed',
  'complained',
] as const;

const ISO_TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** The part of the filter that the server applies. Invalid values are ignored: the URL may have been typed by hand. */
export function serverFilter({ provider, from = '', to = '' }: Query): MailFilter {
  const known = PROVIDERS.find((name) => name === provider);
  return { ...(known && { provider: known }), ...(ISO_TIME.test(from) && { from }), ...(ISO_TIME.test(to) && { to }) };
}

/** Whether the filter hides some of the loaded rows. */
export const filtersLoaded = ({ state = '', text = '' }: Query): boolean => state !== '' || text !== '';

/** Whether a mail that is loaded is shown. */
export function isShown(
  { subject, from, states, messageId, mailId }: ListedMail,
  { state, text = '' }: Query,
): boolean {
  if (state && !states.some((recipient) => recipient.state === state)) return false;
  const wanted = text.toLowerCase();
  return (
    wanted === '' ||
    [
      subject,
      from?.email,
      from?.name,
      messageId,
      mailId,
      ...states.flatMap(({ email, name }) => [mailboxKey(email), name]),
    ]
      .join('\n')
      .toLowerCase()
      .includes(wanted)
  );
}

const wide = matchMedia('(min-width: 761px)');

/** Changes a part of the filter. Leaves out empty values. */
function change(part: Readonly<Record<string, string | undefined>>): void {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...currentQuery(), ...part })) {
    if (value) query[name] = value;
  }
  replaceQuery(query);
}

/** Folded on a small screen, so that the list is visible there. */
export function MailFilters({ query }: { query: Query }) {
  const say = useSay();
  const count = Object.keys(query).length;
  const [isOpen, setIsOpen] = useState(wide.matches);
  const [text, setText] = useState(query['text'] ?? '');
  useEffect(() => {
    const wanted = text.trim();
    if (wanted === (currentQuery()['text'] ?? '')) return;
    const timer = setTimeout(() => change({ text: wanted }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const { from, to } = serverFilter(query);
  return (
    <details class="filter-box" open={isOpen} onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        {say('filters')}
        {count > 0 && <span class="count">{count}</span>}
      </summary>
      <form class="filters" aria-label={say('filterMail')} onSubmit={(event) => event.preventDefault()}>
        <label class="grow">
          <span>{say('textFilter')}</span>
          <input
            type="search"
            value={text}
            placeholder={say('textFilterHint')}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <Choice
          label={say('states')}
          options={STATES}
          value={STATES.find((state) => state === query['state'])}
          text={(state) => wordFor(say, 'state', state)}
          onChange={(state) => change({ state })}
        />
        <Choice
          label={say('provider')}
          options={PROVIDERS}
          value={PROVIDERS.find((provider) => provider === query['provider'])}
          text={(provider) => wordFor(say, 'provider', provider)}
          onChange={(provider) => change({ provider })}
        />
        <Moment label={say('since')} value={from} onChange={(time) => change({ from: time })} />
        <Moment label={say('until')} value={to} onChange={(time) => change({ to: time })} />
        {count > 0 && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              setText('');
              replaceQuery({});
            }}
          >
            {say('clear')}
          </button>
        )}
      </form>
    </details>
  );
}
