/** The view that opens first over a deployed stack. It reads little, however large the tables are. */
import type { Session } from '../../shared/api.ts';
import { useSay } from '../settings.tsx';
import { Unsent } from './mail.tsx';

/** Says how to search, and shows the items that are not sent. */
export function StartView({ session }: { session: Session }) {
  const say = useSay();
  return (
    <>
      <h1>{say('startTitle')}</h1>
      <p class="lead">{say('startHint')}</p>
      <Unsent session={session} />
    </>
  );
}
