/** Checks: the console signs people in, and answers nobody else. */
import { discover, discoveryUrl } from '../../../console/server/provider.ts';
import { sentenceOf } from '../talk.ts';
import type { Patient } from './patient.ts';
import { type Check, mend, ok, skipped } from './verdict.ts';

const NOT_DEPLOYED = 'without the setting `consoleIssuer` there is no console for a team';
const TIMEOUT_MS = 15_000;

export function consoleChecks({ outputs: { ConsoleIssuer: issuer, ConsoleUrl: url } }: Patient): Check[] {
  if (issuer === undefined || url === undefined)
    return [{ name: 'the console', look: async () => skipped(NOT_DEPLOYED) }];
  return [
    {
      name: 'the sign-in of the console',
      look: async () => {
        try {
          const { tokenEndpoint, endSessionEndpoint } = await discover(issuer, '');
          const signOut = endSessionEndpoint === undefined ? '; it has no sign-out of its own' : '';
          return ok(`${issuer} gives its tokens at ${new URL(tokenEndpoint).host}${signOut}`);
        } catch (error) {
          return mend(
            `cannot use ${discoveryUrl(issuer)}: ${sentenceOf(error)}. Correct the setting \`consoleIssuer\`, and deploy`,
          );
        }
      },
    },
    {
      name: 'a call of the console without a token',
      look: async () => {
        const init = { method: 'POST', body: '{}', signal: AbortSignal.timeout(TIMEOUT_MS) };
        const { status } = await fetch(new URL('/api/session', url), init);
        if (status === 401) return ok('was refused');
        return mend(
          `was answered with ${status} instead of 401. Look at the routes of the API ConsoleApi: POST /api/{call} needs its JWT authorizer. Deploy again`,
        );
      },
    },
  ];
}
