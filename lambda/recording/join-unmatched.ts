/** Joins what was unmatched when it was recorded. */
import * as z from 'zod/mini';
import type { Row } from '../aws/dynamodb.ts';
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import { smtpIdLocalPart } from '../mail/message-id.ts';
import type { EventStore } from './event-store.ts';
import { joinBounceRow } from './late-join.ts';
import { findMails, mailOf } from './record-events.ts';

/**
 * Joins unmatched Bounce rows with what is in the sent log by now.
 *
 * @param dryRun whether to change nothing
 * @returns how many of them have a mail there
 */
export async function joinUnmatched(rows: readonly Row[], store: EventStore, dryRun: boolean): Promise<number> {
  const mails = await findMails(
    rows.map((row) => ({ messageIds: messageIdsOf(row) })),
    { consistent: true },
    store,
    AbortSignal.timeout(60_000),
  );
  const matched = rows.flatMap((row) => {
    const mail = mailOf({ messageIds: messageIdsOf(row) }, mails);
    return mail ? [{ row, mail }] : [];
  });
  if (dryRun) return matched.length;
  await forEachConcurrently(matched, async ({ row, mail }) => {
    const recipient = typeof row['toEmail'] === 'string' ? row['toEmail'] : undefined;
    await joinBounceRow(
      { fullMessageId: String(row['fullMessageId']), eventId: String(row['eventId']), recipient },
      mail,
      store,
    );
  });
  return matched.length;
}

/** By these the providers name the mail a second time. */
const detailsSchema = z.object({
  apiData: z.catch(z.optional(z.string()), undefined),
  'smtp-id': z.catch(z.optional(z.string()), undefined),
});

/** Under which ids the mail may be logged: as the recorder would look for it today. */
function messageIdsOf(row: Row): string[] {
  const details = detailsSchema.safeParse(row['details']).data ?? {};
  const own = row['messageId'] ?? smtpIdLocalPart(details['smtp-id'] ?? '');
  return [...new Set([own, details.apiData])].filter((id) => typeof id === 'string').filter((id) => id !== '');
}
