/** The view Mail. */
import { useMemo, useRef, useState } from 'preact/hooks';
import { type Answered, type ListedMail, MAX_WATCHED, type MailItem, type Session } from '../../shared/api.ts';
import { versionOfMail } from '../../shared/versions.ts';
import { server } from '../call.ts';
import { type Feed, type Source, useFeed } from '../feed.ts';
import { List } from '../list.tsx';
import { ListAndPanel, Panel } from '../panel.tsx';
import { Glance, Mailbox, Mark, Notice, Text, Time } from '../parts.tsx';
import { usePolling } from '../polling.ts';
import { hashOf } from '../route.ts';
import { useSay } from '../settings.tsx';
import { SendAgain } from './send-again.tsx';
import { Standing } from './standing.tsx';
import { StoryOf } from './story.tsx';

const SOURCE: Source<ListedMail> = {
  about: 'mails',
  load: (asked) => server.mails(asked),
  key: ({ messageId }) => messageId,
  time: ({ sentAt }) => sentAt,
  version: versionOfMail,
};

/** Every mail: what is not sent, then what was, newest first. `open`: `sent` and a message id, or `item` and an id. */
export function MailView({ session, open }: { session: Session; open: readonly string[] }) {
  const say = useSay();
  const feed = useFeed(SOURCE);
  useStates(feed);
  const [kind, id = ''] = open;
  const openKey = kind === 'sent' ? id : undefined;
  const heads = [{ text: say('when'), column: 'wide when' }, { text: say('fromTo') }, { text: say('states') }];
  const list = (
    <>
      <h1>{say('mailTitle')}</h1>
      <Unsent session={session} />
      <List
        feed={feed}
        caption={say('sentTitle')}
        heads={heads}
        openKey={openKey}
        rowKey={SOURCE.key}
        drawRow={drawRow}
        empty={{ title: say('mailEmpty'), hint: say('mailEmptyHint') }}
      />
    </>
  );
  const asked = useMemo(() => (kind === 'item' ? { id } : { messageId: id }), [kind, id]);
  const panel =
    id === '' ? undefined : (
      <Panel title={say('storyTitle')} backTo={hashOf('mail')} opened={hashOf('mail', ...open)}>
        <StoryOf asked={asked} session={session} />
      </Panel>
    );
  return <ListAndPanel list={list} panel={panel} />;
}

const drawRow = (mail: ListedMail, isOpen: boolean) => <Row key={mail.messageId} mail={mail} isOpen={isOpen} />;

function Row({ mail, isOpen }: { mail: ListedMail; isOpen: boolean }) {
  const say = useSay();
  const { messageId, sentAt, subject, states, to } = mail;
  const shown = (states.length > 0 ? states : to).slice(0, 2);
  const hidden = Math.max(states.length, to.length) - shown.length;
  return (
    <tr class={isOpen ? 'open' : undefined}>
      <td class="wide when">
        <Time iso={sentAt} />
      </td>
      <td class="main">
        <a href={hashOf('mail', 'sent', messageId)} aria-current={isOpen ? 'true' : undefined}>
          <Text>{subject || say('noSubject')}</Text>
        </a>
        <span class="under">
          <span class="narrow">
            <Time iso={sentAt} />{' '}
          </span>
          {shown.map(({ email, name }) => (
            <Mailbox key={email} email={email} name={name} />
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

const FINAL = new Set(['bounced', 'dropped', 'complained']);
const WATCHED_MS = 15 * 60_000;
/** Of the states that are read at a time, those of the newest mails that may change soon; the rest is of all others in turn. */
const MAX_NEWEST = 40;

/** Whether more may be heard of a mail soon: also a delivered one may be complained of, some time after. */
function mayChange({ states, sentAt }: ListedMail, nowMs: number): boolean {
  return states.some(
    ({ state }) => !FINAL.has(state) && (state !== 'delivered' || nowMs - Date.parse(sentAt) < WATCHED_MS),
  );
}

/** Keeps the mails' states up to date, those of the newest first: a mail may bounce days after. */
function useStates(feed: Feed<ListedMail>): void {
  const turn = useRef(0);
  usePolling(async () => {
    const nowMs = Date.now();
    const shown = feed.pages.pages.flat();
    const newest = shown.filter((mail) => mayChange(mail, nowMs)).slice(0, MAX_NEWEST);
    const others = shown.filter((mail) => !newest.includes(mail));
    if (turn.current >= others.length) turn.current = 0;
    const watched = [...newest, ...others.slice(turn.current, turn.current + MAX_WATCHED - newest.length)];
    turn.current += MAX_WATCHED - newest.length;
    if (watched.length === 0) return undefined;
    const { mails } = await server.states({ messageIds: watched.map(({ messageId }) => messageId) });
    const now = new Map(mails.map((mail) => [mail.messageId, mail]));
    feed.merge(watched.map((mail) => ({ ...mail, ...now.get(mail.messageId) })));
    return undefined;
  }, 'states');
}

/** For each look that it takes. A table that one look reads whole is small: it may be read often. */
const REREAD_MS = 30_000;

/** Items that are not sent, as far as so many looks go: each begins where the one before it ended. */
async function lookForUnsent(looks: number, signal: AbortSignal): Promise<Answered<'unsent'>> {
  let found = await server.unsent({});
  for (let look = 1; look < looks && found.cursor !== undefined; look++) {
    signal.throwIfAborted();
    const next = await server.unsent({ cursor: found.cursor });
    found = { ...next, items: [...found.items, ...next.items], looked: found.looked + next.looked };
  }
  return found;
}

function Unsent({ session }: { session: Session }) {
  const say = useSay();
  const [looks, setLooks] = useState(1);
  const [found, setFound] = useState<Answered<'unsent'> & { readonly looks: number }>();
  const error = usePolling(async (signal) => {
    const now = { ...(await lookForUnsent(looks, signal)), looks };
    if (signal.aborted) return undefined;
    setFound((old) => (JSON.stringify(old) === JSON.stringify(now) ? old : now));
    return looks === 1 && now.cursor === undefined ? undefined : looks * REREAD_MS;
  }, `unsent ${looks}`);
  const { items = [], looked = 0, cursor } = found ?? {};
  if (items.length === 0 && cursor === undefined && error === undefined) return null;
  return (
    <section class="unsent" aria-label={say('unsentTitle')}>
      <h2>{say('unsentTitle')}</h2>
      {error !== undefined && <Notice tone="bad">{say('cannotRead', { message: error })}</Notice>}
      <ul>
        {items.map((item) => (
          <UnsentItem key={item.id} item={item} session={session} />
        ))}
      </ul>
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
