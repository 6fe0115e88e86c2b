/** What happens next to an item that is not sent. */
import type { MailItem } from '../../shared/api.ts';
import { Time } from '../parts.tsx';
import { useSay } from '../settings.tsx';

/** Says when a deferred item is tried again, or that Todoke never writes this status. */
export function Standing({ item: { nextAttemptAt, odd } }: { item: MailItem }) {
  const say = useSay();
  if (odd !== undefined) return <p class="faint">{say('oddStatus')}</p>;
  if (nextAttemptAt === undefined) return null;
  return (
    <p class="faint">
      {say('nextAttempt')} <Time iso={nextAttemptAt} />
    </p>
  );
}
