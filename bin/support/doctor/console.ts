/** Checks: the console signs people in, and answers nobody else. */
import { discover, discoveryUrl } from '../../../console/server/provider.ts';
import { sentenceOf } from '../terminal.ts';
import type { DoctorContext } from './context.ts';
import { type Check, fix, ok, skipped } from './verdict.ts';

const NOT_DEPLOYED = 'without the setting `consoleIssuer` there is no console for a team';
const TIMEOUT_MS = 15_000;

export function consoleChecks({ outputs: { ConsoleIssuer: issuer, ConsoleUrl: url } }: DoctorContext): Check[] {
  if (issuer === undefined || url === undefined)
    return [{ name: 'the console', look: async () => skipped(NOT_DEPLOYED) }];
  return [
    {
      name: 'the sign-in of the console',
      look: async () => {
        try {
          const { tokenEndpoint, endSessionEndpoint } = await discover(issuer, '');
          const signOut = endSessionEndpoint === undefined ? '; it has no address to sign out at' : '';
          return ok(`${issuer} issues tokens at ${new URL(tokenEndpoint).host}${signOut}`);
        } catch (error) {
          return fix(
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
        return fix(
          `was answered with ${status} instead of 401. Look at the routes of the API ConsoleApi: POST /api/{call} needs its JWT authorizer. Deploy again`,
        );
      },
    },
  ];
}
