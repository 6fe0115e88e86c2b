/** The frame: header, view, footer. */
import { useEffect, useState } from 'preact/hooks';
import type { Session } from '../shared/api.ts';
import { messageOf, server } from './call.ts';
import { Notice } from './parts.tsx';
import { pollAs } from './polling.ts';
import { hashOf, type Query, useRoute, VIEWS, type View } from './route.ts';
import { Search } from './search.tsx';
import { type Say, useSettings } from './settings.tsx';
import { provider, type SignInState, signInAgain, signInByHand, signInOnLoad, signOut } from './sign-in.ts';
import { whenTokenIsRefused } from './token.ts';
import { BouncesView } from './views/bounces.tsx';
import { MailView } from './views/mail.tsx';
import { OverviewView } from './views/overview.tsx';
import { RecipientView } from './views/recipient.tsx';
import { SendView } from './views/send.tsx';
import { StartView } from './views/start.tsx';
import { TryView } from './views/try.tsx';

export function App() {
  const { say } = useSettings();
  const { view, open, query } = useRoute();
  const [session, setSession] = useState<Session>();
  const [failure, setFailure] = useState<string>();
  const [locked, setLocked] = useState(false);
  const [signInState, setSignInState] = useState<SignInState>({ is: 'leaving' });
  useEffect(() => {
    whenTokenIsRefused(() => (provider === undefined ? setLocked(true) : signInAgain().then(setSignInState)));
    signInOnLoad().then(setSignInState);
  }, []);
  useEffect(() => {
    if (signInState.is !== 'in') return;
    server.session().then(
      (answer) => {
        pollAs(answer.mode);
        setSession(answer);
      },
      (error) => setFailure(messageOf(error, say)),
    );
  }, [signInState]);
  if (signInState.is !== 'in') return <SignedOut signInState={signInState} />;
  useEffect(() => {
    document.title = `${titleOf(view, open, say)} · ${say('title')}`;
  }, [say, view, open]);
  const views = VIEWS.filter(
    (name) => (name !== 'send' || session?.canSend !== false) && (name !== 'try' || session?.canTry !== false),
  );
  // A person who is on no list sees only the message that says so.
  const isKnown = provider === undefined || session !== undefined;
  return (
    <>
      <button type="button" class="skip" onClick={focusContent}>
        {say('skip')}
      </button>
      <Header views={isKnown ? views : []} view={view} />
      <main id="content" tabIndex={-1}>
        {locked && (
          <>
            <h1>{say('locked')}</h1>
            <p class="lead">{say('lockedHint')}</p>
          </>
        )}
        {!locked && failure !== undefined && (
          <>
            <h1 class="unseen">{say('title')}</h1>
            <Notice tone="bad">{say('cannotRead', { message: failure })}</Notice>
          </>
        )}
        {!locked && session && (
          <Content view={shownView(view, views, session)} open={open} query={query} session={session} />
        )}
      </main>
      {session && <Footer session={session} />}
    </>
  );
}

function focusContent() {
  document.getElementById('content')?.focus();
}

/** Local mode opens with the list of mails, because reading it costs nothing there. */
function shownView(view: View, views: readonly View[], { mode }: Session): View {
  if (view === 'recipient' || (view === 'start' && mode !== 'local')) return view;
  return views.includes(view) ? view : 'mail';
}

const titleOf = (view: View, [first = '']: readonly string[], say: Say): string =>
  view === 'recipient' ? first : say(view === 'start' ? 'startTitle' : view);

interface ContentProps {
  readonly view: View;
  readonly open: readonly string[];
  readonly query: Query;
  readonly session: Session;
}

function Content({ view, open, query, session }: ContentProps) {
  switch (view) {
    case 'start':
      return <StartView session={session} />;
    case 'recipient':
      return <RecipientView session={session} open={open} />;
    case 'send':
      return <SendView session={session} />;
    case 'mail':
      return <MailView session={session} open={open} query={query} />;
    case 'bounces':
      return <BouncesView session={session} open={open} />;
    case 'overview':
      return <OverviewView session={session} />;
    case 'try':
      return <TryView />;
  }
}

function Header({ views, view }: { views: readonly (typeof VIEWS)[number][]; view: View }) {
  const { say, theme, setTheme, language, setLanguage } = useSettings();
  const other = language === 'ja' ? 'en' : 'ja';
  return (
    <header class="top">
      <a class="brand" href="#/">
        <img src="/icon.svg" alt="" width="30" height="30" />
        <span>
          <strong>{say('title')}</strong>
          <small>{say('tagline')}</small>
        </span>
      </a>
      <nav aria-label={say('views')}>
        {views.map((name) => (
          <a key={name} href={hashOf(name)} aria-current={name === view ? 'page' : undefined}>
            {say(name)}
          </a>
        ))}
      </nav>
      {views.length > 0 && <Search />}
      <div class="switches">
        <button type="button" class="quiet" lang={other} onClick={() => setLanguage(other)}>
          {say('otherLanguage')}
        </button>
        <button
          type="button"
          class="quiet icon"
          aria-label={say('darkTheme')}
          aria-pressed={theme === 'dark'}
          title={say('darkTheme')}
          onClick={() => setTheme(theme === 'dark' ? 'light' : 'dark')}
        >
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5" />
            <path d="M8 2a6 6 0 0 1 0 12Z" fill="currentColor" />
          </svg>
        </button>
        {provider !== undefined && (
          <button type="button" class="quiet" onClick={signOut}>
            {say('signOut')}
          </button>
        )}
      </div>
    </header>
  );
}

/** Takes the place of the page while nobody is signed in. */
function SignedOut({ signInState }: { signInState: SignInState }) {
  const { say } = useSettings();
  if (signInState.is === 'leaving' || signInState.is === 'in')
    return <p class="faint signed-out">{say('signingIn')}</p>;
  const why = signInState.is === 'failed' ? signInState.why : undefined;
  const known = { provider: say('signInUnreachable'), refused: say('signInRefused') };
  return (
    <main id="content" class="signed-out">
      <img src="/icon.svg" alt="" width="44" height="44" />
      <h1>{say(why === undefined ? 'signedOut' : 'signInFailed')}</h1>
      {why !== undefined && <p class="lead">{Object.entries(known).find(([name]) => name === why)?.[1] ?? why}</p>}
      <button type="button" onClick={signInByHand}>
        {say('signIn')}
      </button>
    </main>
  );
}

function Footer({ session }: { session: Session }) {
  const { say } = useSettings();
  return (
    <footer>
      <p>
        {say(`mode_${session.mode}`)}
        {!session.canOperate && ` · ${say('readOnly')}`}
      </p>
      <p class="tables">
        {Object.values(session.tables).map((table) => (
          <code key={table}>{table}</code>
        ))}
      </p>
    </footer>
  );
}
