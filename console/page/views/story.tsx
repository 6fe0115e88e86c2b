/** Shows the story of a mail. */
import { useState } from 'preact/hooks';
import { mailboxKey } from '../../../lambda/mail/address.ts';
import { handedOverAt, inOrder, statesOf, timeOf } from '../../../lambda/mail/story.ts';
import {
  type Answered,
  type Bounce,
  bounceKey,
  type RecipientState,
  type Session,
  type StoryEvent,
} from '../../shared/api.ts';
import { server } from '../call.ts';
import { Empty, Mailbox, Mark, Notice, Text, Time } from '../parts.tsx';
import { usePolling } from '../polling.ts';
import { hashOf } from '../route.ts';
import { useSay, wordFor } from '../settings.tsx';
import { AllAttributes, Verdict } from './details.tsx';
import { SendAgain } from './send-again.tsx';
import { Standing } from './standing.tsx';

export type Story = Answered<'story'>;

/** All that is known of a mail, by its message id or its item's id, kept up to date. */
export function useStory(asked: { messageId?: string; id?: string }): {
  story: Story | undefined;
  error?: string | undefined;
} {
  const about = JSON.stringify(asked);
  const [known, setKnown] = useState<{ about: string; story: Story; text: string }>();
  const error = usePolling(async (signal) => {
    const story = await server.story(asked, signal);
    const text = JSON.stringify(story);
    setKnown((old) => (old?.about === about && old.text === text ? old : { about, story, text }));
    return undefined;
  }, about);
  return { story: known?.about === about ? known.story : undefined, error };
}

interface StoryProps {
  readonly asked: { messageId?: string; id?: string };
  readonly session: Session;
  /** The mailbox whose timeline comes first. */
  readonly first?: string;
}

/** The facts of a mail, and a timeline for each recipient. */
export function StoryOf({ asked, session, first }: StoryProps) {
  const say = useSay();
  const { story, error } = useStory(asked);
  if (story === undefined) {
    return error === undefined ? (
      <p class="faint">{say('loading')}</p>
    ) : (
      <Notice tone="bad">{say('cannotRead', { message: error })}</Notice>
    );
  }
  const { log, item, events, more } = story;
  if (!log && !item && events.length === 0) return <Empty title={say('storyMissing')} hint={say('storyMissingHint')} />;
  const subject = log?.subject ?? item?.subject ?? story.bounces[0]?.subject;
  return (
    <>
      {error !== undefined && <Notice tone="bad">{say('stale', { message: error })}</Notice>}
      <h3 class="subject">
        <Text>{subject || say('noSubject')}</Text>
      </h3>
      <Facts story={story} />
      {item && (item.status !== 'sent' || item.odd !== undefined) && (
        <div class="standing">
          <Mark state={item.status} />
          {item.error && <Text>{item.error}</Text>}
          {!item.stuck && item.status === 'waiting' && <p class="faint">{say('waitingHint')}</p>}
          <Standing item={item} />
          <SendAgain item={item} session={session} />
        </div>
      )}
      {item?.status === 'sent' && item.error && (
        <Notice tone="bad">
          <Text>{item.error}</Text>
        </Notice>
      )}
      {!log && events.length > 0 && <Notice tone="plain">{say('notLogged')}</Notice>}
      {more && <Notice tone="plain">{say('storyMore')}</Notice>}
      <Timelines story={story} first={first} />
    </>
  );
}

function Facts({ story: { log, item, events } }: { story: Story }) {
  const say = useSay();
  const from = log?.from ?? item?.from;
  const messageId = log?.messageId ?? item?.messageId;
  const provider = log?.provider ?? item?.provider ?? events.map((event) => String(event['provider'] ?? ''))[0];
  const id = item?.id ?? log?.mailId;
  const sentAt = log?.sentAt ?? item?.sentAt;
  return (
    <dl class="facts">
      {from && (
        <div>
          <dt>{say('from')}</dt>
          <dd>
            <Mailbox {...from} />
          </dd>
        </div>
      )}
      {sentAt && (
        <div>
          <dt>{say('sentAt')}</dt>
          <dd>
            <Time iso={sentAt} full />
          </dd>
        </div>
      )}
      {provider && (
        <div>
          <dt>{say('provider')}</dt>
          <dd>{wordFor(say, 'provider', provider)}</dd>
        </div>
      )}
      {messageId && (
        <div>
          <dt>{say('messageId')}</dt>
          <dd>
            <bdi class="text id">{messageId}</bdi>
          </dd>
        </div>
      )}
      {id && (
        <div>
          <dt>{say('mailId')}</dt>
          <dd>
            <bdi class="text id">{id}</bdi>
          </dd>
        </div>
      )}
    </dl>
  );
}

/** More timelines than these make a page slow. */
const SHOWN_RECIPIENTS = 50;

function Timelines({ story, first }: { story: Story; first: string | undefined }) {
  const say = useSay();
  const [shown, setShown] = useState(SHOWN_RECIPIENTS);
  const { log, item, events, bounces } = story;
  if (!log && events.length === 0) return null;
  const states =
    log?.states ??
    statesOf(
      (item?.to ?? []).map((to) => ({ ...to, field: 'to' as const })),
      events,
    );
  const isFirst = ({ email }: RecipientState) => first !== undefined && mailboxKey(email) === mailboxKey(first);
  const recipients = [...states.filter(isFirst), ...states.filter((recipient) => !isFirst(recipient))];
  const rows = new Map(bounces.map((row) => [bounceKey(row), row]));
  const ordered = new Map<string, StoryEvent[]>();
  for (const event of inOrder(events)) {
    const key = mailboxKey(event.recipient ?? '');
    ordered.set(key, [...(ordered.get(key) ?? []), event]);
  }
  const hidden = recipients.length - shown;
  return (
    <>
      <h3 class="part">{say('recipients')}</h3>
      {recipients.slice(0, shown).map((recipient) => (
        <Timeline
          key={recipient.email}
          recipient={recipient}
          log={log}
          events={ordered.get(mailboxKey(recipient.email)) ?? []}
          rows={rows}
        />
      ))}
      {hidden > 0 && (
        <p class="list-end">
          {say('moreRecipients', { n: hidden })}{' '}
          <button type="button" class="quiet" onClick={() => setShown(shown + 4 * SHOWN_RECIPIENTS)}>
            {say('more')}
          </button>
        </p>
      )}
      {events.length === 0 && <p class="faint">{say('noEvents')}</p>}
    </>
  );
}

interface TimelineProps {
  readonly recipient: RecipientState;
  readonly log: Story['log'];
  /** The events of this recipient, in their order. */
  readonly events: readonly StoryEvent[];
  readonly rows: ReadonlyMap<string, Bounce>;
}

function Timeline({ recipient: { email, name, field, state }, log, events, rows }: TimelineProps) {
  const say = useSay();
  return (
    <section class="recipient" aria-label={email || say('unknownRecipient')}>
      <h4>
        {email === '' ? (
          say('unknownRecipient')
        ) : (
          <a href={hashOf('recipient', email)}>
            <Mailbox email={email} name={name} field={field} />
          </a>
        )}
        <Mark state={state} />
      </h4>
      {state === 'no-news' && <p class="faint">{say('noNewsHint')}</p>}
      <ol class="timeline">
        {log && (
          <li class="mark-sent">
            <Time iso={handedOverAt(log.sentAt, events)} />
            <div>{say('entrySent', { provider: wordFor(say, 'provider', log.provider) })}</div>
          </li>
        )}
        {events.map((event) => (
          <Entry key={event.entry} event={event} bounce={rows.get(bounceKey(event))} />
        ))}
      </ol>
    </section>
  );
}

function Entry({ event, bounce }: { event: StoryEvent; bounce: Bounce | undefined }) {
  const say = useSay();
  const reason = bounce?.reason ?? event.reason;
  return (
    <li class={`mark-${event.state}`}>
      <Time iso={timeOf(event)} />
      <div>
        {bounce ? <Verdict bounce={bounce} /> : <Mark state={event.state} />}
        {reason && (
          <p class="reason">
            <Text>{reason}</Text>
          </p>
        )}
        {bounce && (
          <details>
            <summary>{say('allDetails')}</summary>
            <AllAttributes row={bounce} />
          </details>
        )}
      </div>
    </li>
  );
}
