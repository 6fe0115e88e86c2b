/** The mails that were sent from the form, with their states. */
import { Mailbox, Mark, Text } from '../parts.tsx';
import { hashOf } from '../route.ts';
import { useSay } from '../settings.tsx';
import { useStory } from './story.tsx';

export function SentFromHere({ sent }: { sent: readonly { id: string; subject: string }[] }) {
  const say = useSay();
  return (
    <section class="sent-here" aria-label={say('sentHere')}>
      <h2>{say('sentHere')}</h2>
      {sent.length === 0 && <p class="faint">{say('sentHereEmpty')}</p>}
      <ul>
        {sent.map((mail) => (
          <Sent key={mail.id} {...mail} />
        ))}
      </ul>
    </section>
  );
}

function Sent({ id, subject }: { id: string; subject: string }) {
  const say = useSay();
  const { story } = useStory({ id });
  const status = story?.item?.status ?? 'waiting';
  return (
    <li class="card">
      <a href={hashOf('mail', 'item', id)} title={say('openStory')}>
        <Text>{subject}</Text>
      </a>
      {!story?.log && <Mark state={status} />}
      {story?.item?.error && (
        <p class="reason">
          <Text>{story.item.error}</Text>
        </p>
      )}
      {story?.log && (
        <ul class="recipient-states">
          {story.log.states.map(({ email, name, state }) => (
            <li key={email}>
              <Mailbox email={email} name={name} />
              <Mark state={state} />
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}
