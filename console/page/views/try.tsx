/** The view Try: posts a sample to a receiver, and shows the answer and the rows that follow. */
import { useEffect, useState } from 'preact/hooks';
import { PROVIDERS } from '../../../lambda/mail/provider.ts';
import { timeOf } from '../../../lambda/mail/story.ts';
import { type Answered, bounceKey, type Sample, type SamplePost } from '../../shared/api.ts';
import { messageOf, server } from '../call.ts';
import { Mark, Notice, Text, Time } from '../parts.tsx';
import { usePolling } from '../polling.ts';
import { hashOf } from '../route.ts';
import { useSay, useSettings, wordFor } from '../settings.tsx';
import { AllAttributes, Verdict } from './details.tsx';

const CONTENT_TYPES = ['application/json', 'application/x-www-form-urlencoded'];
const OWN: SamplePost = { provider: 'sendgrid', contentType: 'application/json', body: '[]' };

const keyOf = ({ provider, name }: Pick<Sample, 'provider' | 'name'>) => `${provider} ${name.en}`;

interface Posted extends Answered<'post'> {
  readonly post: SamplePost;
  readonly number: number;
}

export function TryView() {
  const { say, language } = useSettings();
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const [chosen, setChosen] = useState('');
  const [post, setPost] = useState(OWN);
  const [posted, setPosted] = useState<Posted>();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    server.samples().then(
      (answer) => {
        setSamples(answer.samples);
        const [first] = answer.samples;
        if (first) choose(first);
      },
      (error) => setFailure(messageOf(error, say)),
    );
  }, []);
  function choose({ name, provider, contentType, body }: Sample) {
    setChosen(keyOf({ provider, name }));
    setPost({ provider, contentType, body });
  }
  const change = (part: Partial<SamplePost>) => setPost({ ...post, ...part });
  const sample = samples.find((other) => keyOf(other) === chosen);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const answer = await server.post(post);
      setPosted({ ...answer, post, number: (posted?.number ?? 0) + 1 });
      setFailure(undefined);
    } catch (error) {
      setFailure(messageOf(error, say));
    }
    setBusy(false);
  };

  return (
    <div class="trying">
      <form class="stack" onSubmit={submit} aria-label={say('tryTitle')}>
        <h1>{say('tryTitle')}</h1>
        <p class="lead">{say('tryIntro')}</p>
        <label class="field">
          <span>{say('sample')}</span>
          <select
            value={chosen}
            onChange={(event) => {
              const { value } = event.currentTarget;
              const found = samples.find((other) => keyOf(other) === value);
              if (found) choose(found);
              else setChosen('');
            }}
          >
            <option value="">{say('ownSample')}</option>
            {PROVIDERS.map((provider) => (
              <optgroup key={provider} label={wordFor(say, 'provider', provider)}>
                {samples
                  .filter((other) => other.provider === provider)
                  .map((other) => (
                    <option key={keyOf(other)} value={keyOf(other)}>
                      {other.name[language]}
                    </option>
                  ))}
              </optgroup>
            ))}
          </select>
        </label>
        {sample && (
          <p class="hint">
            {say('source')}: <Text>{sample.source}</Text>
          </p>
        )}
        <div class="pair">
          <label class="field">
            <span>{say('provider')}</span>
            <select
              value={post.provider}
              onChange={(event) =>
                change({ provider: PROVIDERS.find((name) => name === event.currentTarget.value) ?? PROVIDERS[0] })
              }
            >
              {PROVIDERS.map((name) => (
                <option key={name} value={name}>
                  {wordFor(say, 'provider', name)}
                </option>
              ))}
            </select>
          </label>
          <label class="field">
            <span>{say('contentType')}</span>
            <select value={post.contentType} onChange={(event) => change({ contentType: event.currentTarget.value })}>
              {CONTENT_TYPES.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        </div>
        <label class="field">
          <span>{say('body')}</span>
          <textarea
            class="code"
            rows={14}
            spellcheck={false}
            value={post.body}
            onInput={(event) => change({ body: event.currentTarget.value })}
          />
        </label>
        {failure !== undefined && <Notice tone="bad">{failure}</Notice>}
        <button type="submit" disabled={busy}>
          {say(busy ? 'posting' : 'postButton')}
        </button>
      </form>
      {posted && <PostOutcome key={posted.number} posted={posted} />}
    </div>
  );
}

function PostOutcome({ posted: { status, answer, post } }: { posted: Posted }) {
  const say = useSay();
  const [rows, setRows] = useState<Answered<'rowsOf'>>();
  usePolling(async () => {
    const now = await server.rowsOf(post);
    setRows((old) => (JSON.stringify(old) === JSON.stringify(now) ? old : now));
    return undefined;
  }, '');
  return (
    <section class="outcome" aria-label={say('answer')}>
      <h2>{say('answer')}</h2>
      <p role="status" class={status === 200 ? 'answer' : 'answer answer-bad'}>
        <strong>{status}</strong> <Text>{answer}</Text>
      </p>
      <h2>{say('rowsTitle')}</h2>
      {rows && rows.missing > 0 && status === 200 && (
        <p class="faint" role="status">
          {say('rowsWaiting', { n: rows.missing })}
        </p>
      )}
      {rows && rows.missing === 0 && rows.bounces.length + rows.events.length === 0 && (
        <p class="faint">{say('rowsNone')}</p>
      )}
      {rows && rows.ignored > 0 && <p class="faint">{say('rowsIgnored', { n: rows.ignored })}</p>}
      {rows && rows.bounces.length > 0 && (
        <>
          <h3 class="part">{say('bounceRows')}</h3>
          <ul class="plain-rows">
            {rows.bounces.map((bounce) => (
              <li key={bounceKey(bounce)}>
                <Verdict bounce={bounce} /> <Text>{bounce.toEmail}</Text>
                <details>
                  <summary>{say('allDetails')}</summary>
                  <AllAttributes row={bounce} />
                </details>
              </li>
            ))}
          </ul>
        </>
      )}
      {rows && rows.events.length > 0 && (
        <>
          <h3 class="part">{say('storyRows')}</h3>
          <ul class="plain-rows">
            {rows.events.map((event) => (
              <li key={event.messageId + event.entry}>
                <Mark state={event.state} /> <Text>{event.recipient}</Text> <Time iso={timeOf(event)} />{' '}
                <a href={hashOf('mail', 'sent', event.messageId)}>{say('openStory')}</a>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
