/** The console of local mode. */
import { createConsole } from '../../console/server/console.ts';
import type { LocalModeOptions } from '../../local/local-mode.ts';
import { parseOutputs } from './outputs.ts';
import { tablesOf } from './tables.ts';

/** Of local mode: it may send, and post samples. */
export function localConsole(report: (line: string) => void): NonNullable<LocalModeOptions['page']> {
  return ({ outputs, providers }) =>
    createConsole({
      mode: 'local',
      tables: tablesOf(parseOutputs(outputs)),
      canSend: true,
      post: (post) => providers.post(post),
      report,
    });
}
