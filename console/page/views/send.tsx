/** The view Send. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { PROVIDERS } from '../../../lambda/mail/provider.ts';
import type { Session } from '../../shared/api.ts';
import { type Field, type NewMail, type Problem, problemsOf } from '../../shared/new-mail.ts';
import { messageOf, server } from '../call.ts';
import { Mark, Notice } from '../parts.tsx';
import { useSay, wordFor } from '../settings.tsx';
import { SentFromHere } from './sent-from-here.tsx';

/** The simulated outcomes, each with the local part that produces it. */
const EXAMPLES = [
  { state: 'delivered', mailbox: 'taro' },
  { state: 'bounced', mailbox: 'bounce', class: 'hard' },
  { state: 'bounced', mailbox: 'blocked', class: 'soft' },
  { state: 'dropped', mailbox: 'dropped' },
  { state: 'deferred', mailbox: 'deferred' },
  { state: 'complained', mailbox: 'complaint' },
] as const;

interface Form {
  readonly provider: string;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly content: string;
}

const EMPTY: Form = { provider: PROVIDERS[0], from: '', to: '', subject: '', content: '' };
const mailOf = (form: Form): NewMail => ({ ...form, to: form.to.split('\n').filter((line) => line.trim() !== '') });

/** A form for one mail, and the states of the mails that were sent from it. */
export function SendView({ session }: { session: Session }) {
  const say = useSay();
  const [form, setForm] = useState(EMPTY);
  const [problems, setProblems] = useState<Partial<Record<Field, Problem>>>({});
  const [tried, setTried] = useState(0);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const [sent, setSent] = useState<readonly { id: string; subject: string }[]>([]);
  const element = useRef<HTMLFormElement>(null);
  const local = session.mode === 'local';
  useEffect(() => {
    element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [tried]);

  const change = (part: Partial<Form>) => {
    const next = { ...form, ...part };
    setForm(next);
    // Checks again while the person corrects the problems.
    if (Object.keys(problems).length > 0) setProblems(problemsOf(mailOf(next)));
  };
  const example = (mailboxes: readonly string[]) => {
    setProblems({});
    setForm({
      provider: form.provider,
      from: form.from || say('exampleFrom'),
      // A new address each time: one that bounced or complained gets no more mail.
      to: mailboxes
        .map((mailbox) => `${say('exampleName')} <${mailbox}+${Date.now().toString(36)}@example.jp>`)
        .join('\n'),
      subject: say('exampleSubject'),
      content: say('exampleContent'),
    });
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    const mail = mailOf(form);
    const found = problemsOf(mail);
    setProblems(found);
    setTried(tried + 1);
    if (Object.keys(found).length > 0) return;
    setBusy(true);
    try {
      const { id } = await server.send(mail);
      setSent([{ id, subject: mail.subject }, ...sent]);
      setFailure(undefined);
    } catch (error) {
      setFailure(messageOf(error, say));
    }
    setBusy(false);
  };
  const field = (name: Field, hint?: string) => ({ name, problem: problems[name], hint });

  return (
    <div class="sending">
      <form ref={element} class="stack" noValidate onSubmit={submit} aria-label={say('sendTitle')}>
        <h1>{say('sendTitle')}</h1>
        <p class="lead">{say(local ? 'sendIntroLocal' : 'sendIntroDeployed')}</p>
        {local && (
          <fieldset class="examples">
            <legend>{say('examples')}</legend>
            {EXAMPLES.map(({ state, mailbox, ...rest }) => (
              <button key={mailbox} type="button" class="quiet" onClick={() => example([mailbox])}>
                <Mark state={state} />
                {'class' in rest && <small>{wordFor(say, 'class', rest.class)}</small>}
              </button>
            ))}
            <button type="button" class="quiet" onClick={() => example(EXAMPLES.map(({ mailbox }) => mailbox))}>
              {say('exampleAll')}
            </button>
          </fieldset>
        )}
        <Labelled {...field('provider')}>
          {(attributes) => (
            <select {...attributes} value={form.provider} onChange={(e) => change({ provider: e.currentTarget.value })}>
              {PROVIDERS.map((name) => (
                <option key={name} value={name}>
                  {wordFor(say, 'provider', name)}
                </option>
              ))}
            </select>
          )}
        </Labelled>
        <Labelled {...field('from')}>
          {(attributes) => (
            <input {...attributes} value={form.from} onInput={(e) => change({ from: e.currentTarget.value })} />
          )}
        </Labelled>
        <Labelled {...field('to', say('toHint'))}>
          {(attributes) => (
            <textarea
              {...attributes}
              rows={Math.min(8, Math.max(2, form.to.split('\n').length))}
              value={form.to}
              onInput={(e) => change({ to: e.currentTarget.value })}
            />
          )}
        </Labelled>
        <Labelled {...field('subject')}>
          {(attributes) => (
            <input {...attributes} value={form.subject} onInput={(e) => change({ subject: e.currentTarget.value })} />
          )}
        </Labelled>
        <Labelled {...field('content')}>
          {(attributes) => (
            <textarea
              {...attributes}
              rows={6}
              value={form.content}
              onInput={(e) => change({ content: e.currentTarget.value })}
            />
          )}
        </Labelled>
        {failure !== undefined && <Notice tone="bad">{failure}</Notice>}
        <button type="submit" disabled={busy}>
          {say(busy ? 'sendingButton' : 'sendButton')}
        </button>
      </form>
      <SentFromHere sent={sent} />
    </div>
  );
}

interface LabelledProps {
  readonly name: Field;
  readonly problem: Problem | undefined;
  readonly hint: string | undefined;
  readonly children: (attributes: {
    id: string;
    name: string;
    autocomplete: string;
    'aria-invalid': boolean;
    'aria-describedby': string;
  }) => ComponentChildren;
}

/** A field with its label, and with the problem to correct. */
function Labelled({ name, problem, hint, children }: LabelledProps) {
  const say = useSay();
  const id = `field-${name}`;
  return (
    <div class="field">
      <label for={id}>{say(name)}</label>
      {children({
        id,
        name,
        autocomplete: 'off',
        'aria-invalid': problem !== undefined,
        'aria-describedby': `${id}-hint ${id}-problem`,
      })}
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
      <p id={`${id}-problem`} class="problem" aria-live="polite">
        {problem && say(`problem_${problem.code}`, { value: problem.value ?? '' })}
      </p>
    </div>
  );
}
