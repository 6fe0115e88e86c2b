/** Erases everything about a person, for an operator. */
import { useEffect, useState } from 'preact/hooks';
import type { Answered, Session } from '../../shared/api.ts';
import { messageOf, server } from '../call.ts';
import { Notice, numberText, Text } from '../parts.tsx';
import { useSettings } from '../settings.tsx';

type Found = Omit<Answered<'forget'>, 'position'> & { readonly erased: boolean };

/** First counts, then erases. Both read all rows of all tables, which takes a while if there are many. */
export function Forget({ email, session }: { email: string; session: Session }) {
  const { say, language } = useSettings();
  const [found, setFound] = useState<Found>();
  const [read, setRead] = useState<number>();
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    setFound(undefined);
    setFailure(undefined);
  }, [email]);
  if (!session.canOperate) return null;
  const run = async (erases: boolean) => {
    setFailure(undefined);
    setRead(0);
    try {
      const all: Found = { read: 0, rows: 0, changed: 0, stays: [], erased: erases };
      setFound(await runToEnd(email, all, setRead));
    } catch (error) {
      setFailure(messageOf(error, say));
    }
    setRead(undefined);
  };
  return (
    <details class="forget">
      <summary>{say('forgetTitle')}</summary>
      <p class="hint">{say('forgetHint')}</p>
      {found && (
        <p role="status">
          {say(found.erased ? 'forgetErased' : 'forgetFound', {
            n: numberText(found.rows - found.changed, language),
            read: numberText(found.read, language),
          })}{' '}
          {found.changed > 0 && say('forgetChanged', { n: found.changed })}
        </p>
      )}
      {found && found.stays.length > 0 && (
        <Notice tone="plain">
          {say('forgetStays', { n: found.stays.length })}{' '}
          {found.stays.slice(0, 20).map(({ table, key }) => (
            <Text key={table + key}>{`${table} ${key} `}</Text>
          ))}
        </Notice>
      )}
      {failure !== undefined && <Notice tone="bad">{failure}</Notice>}
      <p>
        <button type="button" class="quiet" disabled={read !== undefined} onClick={() => run(false)}>
          {read === undefined ? say('forgetCount') : say('forgetReading', { n: numberText(read, language) })}
        </button>{' '}
        {found && !found.erased && found.rows > 0 && (
          <button type="button" disabled={read !== undefined} onClick={() => run(true)}>
            {say('forgetErase')}
          </button>
        )}
      </p>
    </details>
  );
}

/** Calls the server until it has read all rows. */
async function runToEnd(email: string, start: Found, progress: (read: number) => void): Promise<Found> {
  let all = start;
  let position: Answered<'forget'>['position'];
  do {
    const part = await server.forget({ email, erases: start.erased, ...(position && { position }) });
    all = {
      ...all,
      read: all.read + part.read,
      rows: all.rows + part.rows,
      changed: all.changed + part.changed,
      stays: [...all.stays, ...part.stays],
    };
    progress(all.read);
    position = part.position;
  } while (position !== undefined);
  return all;
}
