/** The button that sends a stuck item again. */
import { useEffect, useState } from 'preact/hooks';
import type { MailItem, Session } from '../../shared/api.ts';
import { messageOf, server } from '../call.ts';
import { useSay } from '../settings.tsx';

export function SendAgain({ item, session }: { item: MailItem; session: Session }) {
  const say = useSay();
  const [said, setSaid] = useState('');
  const [busy, setBusy] = useState(false);
  // Removes the last answer when the item is stuck again.
  useEffect(() => {
    if (item.stuck !== undefined) setSaid('');
  }, [item.stuck, item.resentAt]);
  if (item.stuck === undefined && said === '') return null;
  const again = async () => {
    setBusy(true);
    try {
      const answer = await server.resend({ id: item.id });
      setSaid(say(answer.again ? 'sentAgain' : 'notAgain'));
    } catch (error) {
      setSaid(messageOf(error, say));
    }
    setBusy(false);
  };
  return (
    <div class="send-again">
      {item.stuck !== undefined && <p class="faint">{say('stuckHint')}</p>}
      {session.canOperate && item.stuck !== undefined && (
        <button type="button" disabled={busy} onClick={again}>
          {say('sendAgain')}
        </button>
      )}
      <p role="status">{said}</p>
    </div>
  );
}
