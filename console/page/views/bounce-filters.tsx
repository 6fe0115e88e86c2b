/** The filters above the bounces. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { PROVIDERS } from '../../../lambda/mail/provider.ts';
import { BOUNCE_CLASSES, CAUSES } from '../../../lambda/mail/verdict.ts';
import { type BounceFilter, ROW_OUTCOMES } from '../../shared/api.ts';
import { useSay, wordFor } from '../settings.tsx';

/** How long after the last key press the search begins. */
const TYPING_MS = 350;

interface Props {
  readonly filter: BounceFilter;
  onChange(filter: BounceFilter): void;
}

/** A change of a filter takes effect at once, and the search when the person stops typing. */
export function BounceFilters({ filter, onChange }: Props) {
  const say = useSay();
  const [search, setSearch] = useState(filter.search ?? '');
  const latest = useRef(filter);
  latest.current = filter;
  const change = (part: { [Name in keyof BounceFilter]: BounceFilter[Name] }) => {
    const entries = Object.entries({ ...latest.current, ...part }).filter(
      ([, value]) => value !== undefined && value !== '',
    );
    onChange(Object.fromEntries(entries));
  };
  const changed = useRef(change);
  changed.current = change;
  useEffect(() => {
    const wanted = search.trim();
    if (wanted === (latest.current.search ?? '')) return;
    const timer = setTimeout(() => changed.current({ search: wanted }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [search]);

  return (
    <form class="filters" aria-label={say('filter')} onSubmit={(event) => event.preventDefault()}>
      <label class="grow">
        <span>{say('search')}</span>
        <input
          type="search"
          value={search}
          placeholder={say('searchHint')}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </label>
      <Choice
        label={say('outcome')}
        options={ROW_OUTCOMES}
        value={filter.outcome}
        text={(name) => wordFor(say, 'state', name)}
        onChange={(outcome) => change({ outcome })}
      />
      <Choice
        label={say('bounceClass')}
        options={BOUNCE_CLASSES}
        value={filter.bounceClass}
        text={(name) => wordFor(say, 'class', name)}
        onChange={(bounceClass) => change({ bounceClass })}
      />
      <Choice
        label={say('cause')}
        options={CAUSES}
        value={filter.cause}
        text={(name) => wordFor(say, 'cause', name)}
        onChange={(cause) => change({ cause })}
      />
      <Choice
        label={say('provider')}
        options={PROVIDERS}
        value={filter.provider}
        text={(name) => wordFor(say, 'provider', name)}
        onChange={(provider) => change({ provider })}
      />
      <Moment label={say('since')} value={filter.from} onChange={(from) => change({ from })} />
      <Moment label={say('until')} value={filter.to} onChange={(to) => change({ to })} />
      {Object.keys(filter).length > 0 && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            setSearch('');
            onChange({});
          }}
        >
          {say('clear')}
        </button>
      )}
    </form>
  );
}

export function Choice<Name extends string>(props: {
  label: string;
  options: readonly Name[];
  value: Name | undefined;
  text: (name: Name) => string;
  onChange: (name: Name | undefined) => void;
}) {
  const say = useSay();
  const { label, options, value, text, onChange } = props;
  return (
    <label>
      <span>{label}</span>
      <select
        value={value ?? ''}
        onChange={(event) => onChange(options.find((name) => name === event.currentTarget.value))}
      >
        <option value="">{say('any')}</option>
        {options.map((name) => (
          <option key={name} value={name}>
            {text(name)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A moment in the person's zone. */
export function Moment(props: {
  label: string;
  value: string | undefined;
  onChange: (iso: string | undefined) => void;
}) {
  const { label, value, onChange } = props;
  return (
    <label>
      <span>{label}</span>
      <input
        type="datetime-local"
        value={value === undefined ? '' : localText(value)}
        onChange={(event) => {
          const date = new Date(event.currentTarget.value);
          onChange(Number.isNaN(date.getTime()) ? undefined : date.toISOString());
        }}
      />
    </label>
  );
}

function localText(iso: string): string {
  const date = new Date(iso);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
