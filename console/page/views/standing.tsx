/** Why an item is not sent, and what follows. */
import type { MailItem } from '../../shared/api.ts';
import { Time } from '../parts.tsx';
import { useSay } from '../settings.tsx';

/** When a deferred item is tried again, or that a status is none of Todoke's. */
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
