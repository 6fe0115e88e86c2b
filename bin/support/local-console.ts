/** The console of local mode. */
import { createConsole } from '../../console/server/console.ts';
import type { LocalModeOptions } from '../../local/local-mode.ts';
import { parseOutputs } from './outputs.ts';
import { publishedEvents } from './published-events.ts';
import { tablesOf } from './stack-tables.ts';

/** It may send mail, post samples, and show published events. */
export function localConsole(report: (line: string) => void): NonNullable<LocalModeOptions['page']> {
  return ({ outputs, providers }) =>
    createConsole({
      mode: 'local',
      tables: tablesOf(parseOutputs(outputs)),
      canSend: true,
      post: (post) => providers.post(post),
      published: async (row) => {
        const events = await publishedEvents(outputs['PublishedEventsFile'] ?? '', row);
        return { events: events.map(({ time, 'detail-type': detailType }) => ({ time, detailType })) };
      },
      report,
    });
}
