/** The page of a recipient: the mails to an address, and their outcomes. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Answered, Asked, RecipientMail, Session } from '../../shared/api.ts';
import { messageOf, server } from '../call.ts';
import { ListAndPanel, Panel } from '../panel.tsx';
import { Empty, Glance, Notice, numberText, Text, Time, timeText } from '../parts.tsx';
import { usePolling } from '../polling.ts';
import { hashOf } from '../route.ts';
import { useSay, useSettings, wordFor } from '../settings.tsx';
import { Forget } from './forget.tsx';
import { StoryOf } from './story.tsx';

type Page = Answered<'recipient'>;

/** `open`: the address, and the message id of the mail whose story is shown. */
export function RecipientView({ session, open }: { session: Session; open: readonly string[] }) {
  const { say } = useSettings();
  const [email = '', messageId] = open;
  const { pages, error, more, lookForSilent, loading, decided } = usePages(email);
  const [first] = pages;
  const mails = useMemo(() => mailsOf(pages), [pages]);
  const asked = useMemo(() => ({ messageId: messageId ?? '' }), [messageId]);
  const list = (
    <>
      <h1>{say('recipientTitle', { email: first?.email ?? email })}</h1>
      {error !== undefined && <Notice tone="bad">{say(first ? 'stale' : 'cannotRead', { message: error })}</Notice>}
      {first === undefined && error === undefined && <p class="faint">{say('loading')}</p>}
      {first?.suppressed && <Suppressed {...first.suppressed} />}
      {first && session.canOperate && <Decide key={first.email} page={first} decided={decided} />}
      {first && mails.length === 0 && <Empty title={say('recipientNone')} hint={say('recipientNoneHint')} />}
      {mails.length > 0 && (
        <>
          <Summary mails={mails} goesOn={more !== undefined} />
          <Mails mails={mails} email={email} openId={messageId} />
        </>
      )}
      {first && (more || lookForSilent) && (
        <p class="list-end">
          {more && (
            <button type="button" class="quiet" disabled={loading} onClick={more}>
              {say(loading ? 'loading' : 'more')}
            </button>
          )}{' '}
          {lookForSilent && (
            <button type="button" class="quiet" disabled={loading} onClick={lookForSilent}>
              {say('recipientSilent')}
            </button>
          )}
        </p>
      )}
      {first && <Forget email={first.email} session={session} />}
    </>
  );
  const panel = messageId && (
    <Panel title={say('storyTitle')} backTo={hashOf('recipient', email)} opened={hashOf('recipient', ...open)}>
      <StoryOf asked={asked} session={session} first={first?.email ?? email} />
    </Panel>
  );
  return <ListAndPanel list={list} panel={panel || undefined} />;
}

/** The pages that were read. The first one is polled. */
function usePages(email: string) {
  const say = useSay();
  const [known, setKnown] = useState<{ email: string; pages: readonly Page[]; silent?: Page }>();
  const [failure, setFailure] = useState<string>();
  const [loading, setLoading] = useState(false);
  const now = known?.email === email ? known : { email, pages: [] };
  useEffect(() => setFailure(undefined), [email]);
  const polled = usePolling(async (signal) => {
    const first = await server.recipient({ email }, signal);
    if (signal.aborted) return undefined;
    setKnown((old) => {
      const rest = old?.email === email ? old : { email, pages: [] };
      if (JSON.stringify(rest.pages[0]) === JSON.stringify(first)) return rest;
      return { ...rest, pages: [first, ...rest.pages.slice(1)] };
    });
    return undefined;
  }, email);
  const load = async (asked: Omit<Asked<'recipient'>, 'email'>) => {
    setLoading(true);
    try {
      const next = await server.recipient({ email, ...asked });
      setKnown((old) => {
        if (old?.email !== email) return old;
        return asked.silent ? { ...old, silent: next } : { ...old, pages: [...old.pages, next] };
      });
      setFailure(undefined);
    } catch (error) {
      setFailure(messageOf(error, say));
    }
    setLoading(false);
  };
  const decided = (suppressed: Page['suppressed']) =>
    setKnown((old) => {
      const [first, ...rest] = old?.pages ?? [];
      return old && first ? { ...old, pages: [{ ...first, suppressed }, ...rest] } : old;
    });
  const cursor = now.pages.at(-1)?.cursor;
  return {
    pages: now.silent ? [...now.pages, now.silent] : now.pages,
    error: failure ?? polled,
    loading,
    more: cursor && (() => load({ cursor })),
    decided,
    lookForSilent: now.silent ? undefined : () => load({ silent: true }),
  };
}

/** Newest first. For a mail whose events are on two pages, the newer page counts. */
function mailsOf(pages: readonly Page[]): RecipientMail[] {
  const mails = new Map<string, RecipientMail>();
  for (const mail of pages.flatMap((page) => page.mails)) {
    if (!mails.has(mail.messageId)) mails.set(mail.messageId, mail);
  }
  return [...mails.values()].sort((a, b) => (a.sentAt < b.sentAt ? 1 : -1));
}

/** One sentence: how many, since when, and how they ended. */
function Summary({ mails, goesOn }: { mails: readonly RecipientMail[]; goesOn: boolean }) {
  const { say, language } = useSettings();
  const counts = new Map<string, number>();
  for (const { states } of mails) {
    const state = states[0]?.state ?? 'sent';
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const states = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([state, count]) => `${wordFor(say, 'state', state)} ${numberText(count, language)}`);
  const time = timeText(new Date(mails[0]?.sentAt ?? ''), language);
  const values = { n: mails.length, time, states: states.join(say('comma')) };
  return <p class="lead summary">{say(goesOn ? 'recipientSummaryPart' : 'recipientSummary', values)}</p>;
}

function Suppressed({ since, reason, by }: NonNullable<Page['suppressed']>) {
  const { say, language } = useSettings();
  const time = timeText(new Date(since), language);
  return <Notice tone="bad">{say(`recipientSuppressed_${by}`, { time, reason: reason || say('noReason') })}</Notice>;
}

/** Suppresses the address, or allows it. */
function Decide({ page, decided }: { page: Page; decided: (suppressed: Page['suppressed']) => void }) {
  const say = useSay();
  const [failure, setFailure] = useState('');
  const [busy, setBusy] = useState(false);
  const action = page.suppressed ? 'allow' : 'suppress';
  const decide = async () => {
    setBusy(true);
    try {
      const outcome = action === 'allow' ? 'allowed' : 'suppressed';
      decided((await server.decide({ email: page.email, outcome })).suppressed);
      setFailure('');
    } catch (error) {
      setFailure(messageOf(error, say));
    }
    setBusy(false);
  };
  return (
    <div class="send-again">
      <button type="button" class="quiet" disabled={busy} onClick={decide}>
        {say(action)}
      </button>
      <p class="faint">{say(`${action}Hint`)}</p>
      <p role="status">{failure}</p>
    </div>
  );
}

function Mails({
  mails,
  email,
  openId,
}: {
  mails: readonly RecipientMail[];
  email: string;
  openId: string | undefined;
}) {
  const { say } = useSettings();
  return (
    <table class="rows">
      <caption class="unseen">{say('recipientMails')}</caption>
      <thead>
        <tr>
          <th scope="col" class="wide when">
            {say('when')}
          </th>
          <th scope="col">{say('subject')}</th>
          <th scope="col">{say('states')}</th>
          <th scope="col" class="wide why">
            {say('reason')}
          </th>
        </tr>
      </thead>
      <tbody>
        {mails.map((mail) => (
          <Row key={mail.messageId} mail={mail} email={email} isOpen={mail.messageId === openId} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ mail, email, isOpen }: { mail: RecipientMail; email: string; isOpen: boolean }) {
  const { say } = useSettings();
  const { messageId, sentAt, subject, states, reason, occurredAt, from } = mail;
  const [own] = states;
  return (
    <tr class={isOpen ? 'open' : undefined}>
      <td class="wide when">
        <Time iso={sentAt} />
      </td>
      <td class="main">
        <a href={hashOf('recipient', email, messageId)} aria-current={isOpen ? 'true' : undefined}>
          <Text>{subject || say('noSubject')}</Text>
        </a>
        <span class="under">
          <span class="narrow">
            <Time iso={sentAt} />{' '}
          </span>
          <Text>{from?.name ?? from?.email}</Text>
        </span>
      </td>
      <td class="state">
        <Glance states={states} more={false} />
        {own?.field && own.field !== 'to' && <span class="tag copy">{own.field}</span>}
        {occurredAt && (
          <span class="under">
            <Time iso={occurredAt} />
          </span>
        )}
      </td>
      <td class="wide why">
        <Text>{own?.state === 'no-news' ? say('noNewsHint') : (reason ?? '').slice(0, 300)}</Text>
      </td>
    </tr>
  );
}
