/** The view Bounces. */
import { useMemo, useState } from 'preact/hooks';
import { readAddresses } from '../../../lambda/mail/address.ts';
import { type Answered, type Bounce, type BounceFilter, bounceKey, type Session } from '../../shared/api.ts';
import { explainedIn, isFirstNotice } from '../../shared/first-notices.ts';
import { server } from '../call.ts';
import { toCsv } from '../csv.ts';
import { Exports } from '../exports.tsx';
import { type Source, useFeed } from '../feed.ts';
import { List } from '../list.tsx';
import { filterPages, type Pages } from '../pages.ts';
import { ListAndPanel, Panel } from '../panel.tsx';
import { Mailbox, Notice, Text, Time } from '../parts.tsx';
import { usePolling } from '../polling.ts';
import { hashOf } from '../route.ts';
import { type Say, useSettings, wordFor } from '../settings.tsx';
import { BounceFilters } from './bounce-filters.tsx';
import { AllAttributes, Verdict } from './details.tsx';
import { StoryOf } from './story.tsx';

const timeOfBounce = ({ occurredAt }: Bounce) => occurredAt;

/** The list of bounces, newest first. `open` has the two keys of a row. */
export function BouncesView({ session, open }: { session: Session; open: readonly string[] }) {
  const { say } = useSettings();
  const [filter, setFilter] = useState<BounceFilter>({});
  const source = useMemo<Source<Bounce>>(
    () => ({
      about: JSON.stringify(filter),
      load: (asked) => server.bounces({ filter, ...asked }),
      key: bounceKey,
      time: timeOfBounce,
    }),
    [filter],
  );
  const loaded = useFeed(source);
  const feed = useMemo(() => ({ ...loaded, pages: withoutFirstNotices(loaded.pages) }), [loaded]);
  const [fullMessageId, eventId] = open;
  const openKey = eventId === undefined ? undefined : bounceKey({ fullMessageId, eventId });
  const heads = [
    { text: say('when'), column: 'wide when' },
    { text: say('recipient') },
    { text: say('outcome') },
    { text: say('reason'), column: 'wide why' },
    { text: say('provider'), column: 'wide by' },
  ];
  const rows = feed.pages.pages.flat();
  const filtered = Object.keys(filter).length > 0;
  const list = (
    <>
      <div class="title-row">
        <h1>{say('bouncesTitle')}</h1>
        <Exports name="bounces" rows={rows} toCsv={toCsv} />
      </div>
      <BounceFilters filter={filter} onChange={setFilter} />
      <List
        feed={feed}
        caption={say('bouncesTitle')}
        heads={heads}
        openKey={openKey}
        rowKey={bounceKey}
        drawRow={drawRow}
        empty={{
          title: say(filtered ? 'bouncesNone' : 'bouncesEmpty'),
          hint: say(filtered ? 'bouncesNoneHint' : 'bouncesEmptyHint'),
          link: recipientLink(filter.search, say),
        }}
      />
    </>
  );
  const bounce = loaded.pages.pages.flat().find((row) => bounceKey(row) === openKey);
  const panel =
    openKey === undefined ? undefined : (
      <Panel title={say('bounceTitle')} backTo={hashOf('bounces')} opened={hashOf('bounces', ...open)}>
        {bounce ? (
          <Opened bounce={bounce} session={session} />
        ) : (
          !feed.loading && <Notice tone="plain">{say('bounceMissing')}</Notice>
        )}
      </Panel>
    );
  return <ListAndPanel list={list} panel={panel} />;
}

/** If the search is an address, a link to the recipient's page: mail to an address without a bounce may have arrived. */
function recipientLink(search: string | undefined, say: Say) {
  const [address] = search === undefined || /^<|#/.test(search) ? [] : readAddresses(search);
  if (address === undefined) return undefined;
  return { href: hashOf('recipient', address.email), text: say('recipientLink', { email: address.email }) };
}

/** Shows one row for a failure that was reported twice. */
function withoutFirstNotices(pages: Pages<Bounce>): Pages<Bounce> {
  const explained = explainedIn(pages.pages.flat());
  return filterPages(pages, (row) => !isFirstNotice(row, explained));
}

const drawRow = (bounce: Bounce, isOpen: boolean) => <Row key={bounceKey(bounce)} bounce={bounce} isOpen={isOpen} />;

function Row({ bounce, isOpen }: { bounce: Bounce; isOpen: boolean }) {
  const { say } = useSettings();
  const { fullMessageId, eventId, occurredAt, toEmail, toName, subject, reason, rawEvent, provider } = bounce;
  return (
    <tr class={isOpen ? 'open' : undefined}>
      <td class="wide when">
        <Time iso={occurredAt} />
      </td>
      <td class="main">
        <a href={hashOf('bounces', fullMessageId, eventId)} aria-current={isOpen ? 'true' : undefined}>
          <Mailbox email={toEmail ?? say('unknownRecipient')} name={toName} />
        </a>
        <span class="under">
          <span class="narrow">
            <Time iso={occurredAt} />{' '}
          </span>
          <Text>{subject}</Text>
        </span>
      </td>
      <td class="state">
        <Verdict bounce={bounce} />
      </td>
      <td class="wide why">
        <Text>{(reason ?? rawEvent ?? '').slice(0, 300)}</Text>
      </td>
      <td class="wide by">{wordFor(say, 'provider', provider)}</td>
    </tr>
  );
}

function Opened({ bounce, session }: { bounce: Bounce; session: Session }) {
  const { say } = useSettings();
  return (
    <>
      <p class="opened-verdict">
        <Verdict bounce={bounce} />
      </p>
      {bounce.reason && (
        <blockquote class="reason">
          <Text>{bounce.reason}</Text>
        </blockquote>
      )}
      {session.mode === 'local' && <Published bounce={bounce} />}
      <details open>
        <summary>{say('allDetails')}</summary>
        <AllAttributes row={bounce} />
      </details>
      {bounce.messageId && (
        <>
          <h3 class="part">{say('storyTitle')}</h3>
          <StoryOf asked={{ messageId: bounce.messageId }} session={session} />
        </>
      )}
    </>
  );
}

/** The events that were put on the event bus for the row. */
function Published({ bounce }: { bounce: Bounce }) {
  const { say } = useSettings();
  const { fullMessageId, eventId } = bounce;
  const [events, setEvents] = useState<Answered<'published'>['events']>([]);
  usePolling(async (signal) => {
    setEvents((await server.published({ fullMessageId, eventId }, signal)).events);
    return undefined;
  }, bounceKey(bounce));
  if (events.length === 0) return null;
  return (
    <ul>
      {events.map(({ time, detailType }, n) => (
        <li key={`${time} ${n}`}>
          {say('published', { type: detailType })} <Time iso={time} />
        </li>
      ))}
    </ul>
  );
}
