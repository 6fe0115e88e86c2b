/** Reads the events that local mode's event bus took. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { isErrorWithCode } from '../../local/files.ts';

const eventSchema = z.object({
  'detail-type': z.string(),
  time: z.string(),
  detail: z.looseObject({ fullMessageId: z.string(), eventId: z.string(), matched: z.boolean().optional() }),
});
type PublishedEvent = z.infer<typeof eventSchema>;

/** The events about one Bounce row, oldest first. */
export async function publishedEvents(
  file: string,
  row: { readonly fullMessageId: unknown; readonly eventId: unknown },
): Promise<PublishedEvent[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    // The file is created with the first event.
    if (isErrorWithCode(error, 'ENOENT')) return '';
    throw error;
  });
  // The last line may be only half written.
  const lines = text.split('\n').slice(0, -1);
  return lines
    .map((line) => eventSchema.parse(JSON.parse(line)))
    .filter(({ detail }) => detail.fullMessageId === row.fullMessageId && detail.eventId === row.eventId);
}
