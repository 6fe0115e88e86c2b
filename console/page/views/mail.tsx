/** The view Mail. */
import { useCallback, useMemo, useState } from 'preact/hooks';
import type { Answered, ListedMail, MailItem, Session } from '../../shared/api.ts';
import { server } from '../call.ts';
import { mailsToCsv } from '../csv.ts';
import { Exports } from '../exports.tsx';
import { type Source, useFeed } from '../feed.ts';
import { List } from '../list.tsx';
import { filterPages } from '../pages.ts';
import { ListAndPanel, Panel } from '../panel.tsx';
import { Glance, Mailbox, Mark, Notice, Text, Time } from '../parts.tsx';
import { usePolling } from '../polling.ts';
import { hashOf, hashWith, type Query } from '../route.ts';
import { useSay } from '../settings.tsx';
import { filtersLoaded, isShown, MailFilters, serverFilter } from './mail-filters.tsx';
import { SendAgain } from './send-again.tsx';
import { Standing } from './standing.tsx';
import { StoryOf } from './story.tsx';

const keyOf = ({ messageId }: ListedMail) => messageId;

interface MailProps {
  readonly session: Session;
  /** `sent` and a message id, or `item` and an id. */
  readonly open: readonly string[];
  /** The filters of the list. */
  readonly query: Query;
}

/** First the items that are not sent, then the sent mails, newest first. */
export function MailView({ session, open, query }: MailProps) {
  const say = useSay();
  const queryText = JSON.stringify(query);
  const source = useMemo<Source<ListedMail>>(() => {
    const filter = serverFilter(query);
    const many = filtersLoaded(query);
    return {
      about: `mails ${JSON.stringify(filter)}`,
      load: (asked) => server.mails({ filter, many, ...asked }),
      key: keyOf,
      time: ({ sentAt }) => sentAt,
    };
  }, [queryText]);
  const loaded = useFeed(source);
  const feed = filtersLoaded(query)
    ? // The person decides whether to look further back for mails that match.
      { ...loaded, pages: filterPages(loaded.pages, (mail) => isShown(mail, query)), foundNone: true }
    : loaded;
  const [kind, id = ''] = open;
  const openKey = kind === 'sent' ? id : undefined;
  const heads = [{ text: say('when'), column: 'wide when' }, { text: say('fromTo') }, { text: say('states') }];
  const drawRow = useCallback(
    (mail: ListedMail, isOpen: boolean) => (
      <Row key={mail.messageId} mail={mail} isOpen={isOpen} href={hashWith(query, 'mail', 'sent', mail.messageId)} />
    ),
    [queryText],
  );
  const filtered = Object.keys(query).length > 0;
  const list = (
    <>
      <div class="title-row">
        <h1>{say('mailTitle')}</h1>
        <Exports name="mail" rows={feed.pages.pages.flat()} toCsv={mailsToCsv} />
      </div>
      <Unsent session={session} />
      <MailFilters query={query} />
      <List
        feed={feed}
        caption={say('sentTitle')}
        heads={heads}
        openKey={openKey}
        rowKey={keyOf}
        drawRow={drawRow}
        empty={{
          title: say(filtered ? 'mailNone' : 'mailEmpty'),
          hint: say(filtered ? 'mailNoneHint' : 'mailEmptyHint'),
        }}
      />
    </>
  );
  const asked = useMemo(() => (kind === 'item' ? { id } : { messageId: id }), [kind, id]);
  const panel =
    id === '' ? undefined : (
      <Panel title={say('storyTitle')} backTo={hashWith(query, 'mail')} opened={hashWith(query, 'mail', ...open)}>
        <StoryOf asked={asked} session={session} />
      </Panel>
    );
  return <ListAndPanel list={list} panel={panel} />;
}

function Row({ mail, isOpen, href }: { mail: ListedMail; isOpen: boolean; href: string }) {
  const say = useSay();
  const { sentAt, subject, states, to } = mail;
  const shown = (states.length > 0 ? states : to.map((address) => ({ ...address, field: undefined }))).slice(0, 2);
  const hidden = Math.max(states.length, to.length) - shown.length;
  return (
    <tr class={isOpen ? 'open' : undefined}>
      <td class="wide when">
        <Time iso={sentAt} />
      </td>
      <td class="main">
        <a href={href} aria-current={isOpen ? 'true' : undefined}>
          <Text>{subject || say('noSubject')}</Text>
        </a>
        <span class="under">
          <span class="narrow">
            <Time iso={sentAt} />{' '}
          </span>
          {shown.map(({ email, name, field }) => (
            <Mailbox key={email} email={email} name={name} field={field} />
          ))}
          {hidden > 0 && <span>{say('andMore', { n: hidden })}</span>}
        </span>
      </td>
      <td class="state">
        <Glance states={states} more={mail.more} />
      </td>
    </tr>
  );
}

/** How many polls to wait for each megabyte that was read. */
const LOCAL_POLLS_PER_LOOK = 25;
const POLLS_PER_LOOK = 4;

/** Reads as many parts of the table as `looks` says, one after the other, and returns their items that are not sent. */
async function lookForUnsent(looks: number, signal: AbortSignal): Promise<Answered<'unsent'>> {
  let found = await server.unsent({});
  for (let look = 1; look < looks && found.cursor !== undefined; look++) {
    signal.throwIfAborted();
    const next = await server.unsent({ cursor: found.cursor });
    found = { ...next, items: [...found.items, ...next.items], looked: found.looked + next.looked };
  }
  return found;
}

/** The items that are not sent. */
export function Unsent({ session }: { session: Session }) {
  const say = useSay();
  const [looks, setLooks] = useState(1);
  const [found, setFound] = useState<Answered<'unsent'> & { readonly looks: number }>();
  const error = usePolling(async (signal) => {
    const now = { ...(await lookForUnsent(looks, signal)), looks };
    if (signal.aborted) return undefined;
    setFound((old) => (JSON.stringify(old) === JSON.stringify(now) ? old : now));
    // A table that is read in one look is small.
    if (session.mode === 'local') return looks === 1 && now.cursor === undefined ? 1 : looks * LOCAL_POLLS_PER_LOOK;
    return looks * POLLS_PER_LOOK;
  }, `unsent ${looks}`);
  const [chosen, setChosen] = useState<boolean>();
  const { items = [], looked = 0, cursor } = found ?? {};
  if (items.length === 0 && cursor === undefined && error === undefined) return null;
  // Many of them would push the list off the screen.
  const expanded = chosen ?? items.length <= 1;
  return (
    <section class="unsent" aria-label={say('unsentTitle')}>
      <div class="unsent-head">
        <h2>
          {say('unsentTitle')}{' '}
          {items.length > 0 && <span class="count">{say('unsentCount', { n: items.length })}</span>}
        </h2>
        {items.length > 1 && (
          <button type="button" class="quiet" aria-expanded={expanded} onClick={() => setChosen(!expanded)}>
            {say(expanded ? 'unsentHide' : 'unsentShow')}
          </button>
        )}
      </div>
      {error !== undefined && <Notice tone="bad">{say('cannotRead', { message: error })}</Notice>}
      {expanded && items.length > 0 && (
        <ul>
          {items.map((item) => (
            <UnsentItem key={item.id} item={item} session={session} />
          ))}
        </ul>
      )}
      {cursor !== undefined && (
        <p>
          <span class="faint">{say('unsentPartial', { n: looked })}</span>{' '}
          <button type="button" class="quiet" disabled={found?.looks !== looks} onClick={() => setLooks(looks + 1)}>
            {say('lookBack')}
          </button>
        </p>
      )}
    </section>
  );
}

function UnsentItem({ item, session }: { item: MailItem; session: Session }) {
  const say = useSay();
  return (
    <li>
      <Mark state={item.status} />
      <div>
        <a href={hashOf('mail', 'item', item.id)}>
          <Text>{item.subject || say('noSubject')}</Text>
        </a>
        <span class="under">
          {item.to.slice(0, 2).map((to) => (
            <Mailbox key={to.email} {...to} />
          ))}
          <bdi class="text id">{item.id}</bdi>
        </span>
        {item.error && (
          <p class="reason">
            <Text>{item.error}</Text>
          </p>
        )}
        <Standing item={item} />
        <SendAgain item={item} session={session} />
      </div>
    </li>
  );
}
