/** The frame: header, view, footer. */
import { useEffect, useState } from 'preact/hooks';
import type { Session } from '../shared/api.ts';
import { messageOf, server } from './call.ts';
import { Notice } from './parts.tsx';
import { hashOf, useRoute, VIEWS, type View } from './route.ts';
import { useSettings } from './settings.tsx';
import { whenTokenIsRefused } from './token.ts';
import { BouncesView } from './views/bounces.tsx';
import { MailView } from './views/mail.tsx';
import { OverviewView } from './views/overview.tsx';
import { SendView } from './views/send.tsx';
import { TryView } from './views/try.tsx';

export function App() {
  const { say } = useSettings();
  const { view, open } = useRoute();
  const [session, setSession] = useState<Session>();
  const [failure, setFailure] = useState<string>();
  const [locked, setLocked] = useState(false);
  useEffect(() => {
    whenTokenIsRefused(() => setLocked(true));
    server.session().then(setSession, (error) => setFailure(messageOf(error)));
  }, []);
  useEffect(() => {
    document.title = `${say(view)} · ${say('title')}`;
  }, [say, view]);
  const views = VIEWS.filter(
    (name) => (name !== 'send' || session?.canSend !== false) && (name !== 'try' || session?.canTry !== false),
  );
  return (
    <>
      <button type="button" class="skip" onClick={focusContent}>
        {say('skip')}
      </button>
      <Header views={views} view={view} />
      <main id="content" tabIndex={-1}>
        {locked && (
          <>
            <h1>{say('locked')}</h1>
            <p class="lead">{say('lockedHint')}</p>
          </>
        )}
        {!locked && failure !== undefined && <Notice tone="bad">{say('cannotRead', { message: failure })}</Notice>}
        {!locked && session && <Content view={views.includes(view) ? view : 'mail'} open={open} session={session} />}
      </main>
      {session && <Footer session={session} />}
    </>
  );
}

function focusContent() {
  document.getElementById('content')?.focus();
}

function Content({ view, open, session }: { view: View; open: readonly string[]; session: Session }) {
  switch (view) {
    case 'send':
      return <SendView session={session} />;
    case 'mail':
      return <MailView session={session} open={open} />;
    case 'bounces':
      return <BouncesView session={session} open={open} />;
    case 'overview':
      return <OverviewView />;
    case 'try':
      return <TryView />;
  }
}

function Header({ views, view }: { views: readonly View[]; view: View }) {
  const { say, theme, setTheme, language, setLanguage } = useSettings();
  const other = language === 'ja' ? 'en' : 'ja';
  return (
    <header class="top">
      <a class="brand" href={hashOf('mail')}>
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
      </div>
    </header>
  );
}

function Footer({ session }: { session: Session }) {
  const { say } = useSettings();
  return (
    <footer>
      <p>
        {say(session.mode === 'local' ? 'modeLocal' : 'modeDeployed')}
        {!session.canSend && ` · ${say('readOnly')}`}
      </p>
      <p class="tables">
        {Object.values(session.tables).map((table) => (
          <code key={table}>{table}</code>
        ))}
      </p>
    </footer>
  );
}
