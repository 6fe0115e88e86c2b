/** Joins Bounce rows that were unmatched when they were recorded. */
import * as z from 'zod/mini';
import type { Row } from '../aws/dynamodb.ts';
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import { customersMailCloudMessageIds, smtpIdLocalPart } from '../mail/message-id.ts';
import { providerOf } from '../mail/provider.ts';
import type { EventStore } from './event-store.ts';
import { storableMessageId } from './keys.ts';
import { joinBounceRow } from './late-join.ts';
import { findMails, mailOf } from './record-events.ts';

interface JoinOptions {
  /** Only counts, and changes nothing. */
  readonly dryRun?: boolean;
  /** Whether the rows were matched before, and a late write put them back. Then they get `rejoined`. */
  readonly rejoined?: boolean;
  /** Is called with each row that could not be joined. The other rows are joined nevertheless. */
  readonly onError: (row: Row, error: unknown) => void;
}

/** Limit for finding the mails: more than a page of rows needs, and less than the timeout of a function. */
const LOOK_MS = 20_000;

/**
 * Joins unmatched Bounce rows with the log rows that are in SentLog by now.
 *
 * @returns how many rows were joined, or would be in a dry run
 */
export async function joinUnmatched(
  rows: readonly Row[],
  store: EventStore,
  { dryRun = false, rejoined = false, onError }: JoinOptions,
): Promise<number> {
  const mails = await findMails(
    rows.map((row) => ({ messageIds: messageIdsOf(row) })),
    { consistent: true },
    store,
    AbortSignal.timeout(LOOK_MS),
  );
  const matched = rows.flatMap((row) => {
    const mail = mailOf({ messageIds: messageIdsOf(row) }, mails);
    return mail ? [{ row, mail }] : [];
  });
  if (dryRun) return matched.length;
  let joined = 0;
  await forEachConcurrently(matched, async ({ row, mail }) => {
    const recipient = typeof row['toEmail'] === 'string' ? row['toEmail'] : undefined;
    const failure = { fullMessageId: String(row['fullMessageId']), eventId: String(row['eventId']), recipient };
    try {
      await joinBounceRow(failure, mail, store, rejoined);
      joined++;
    } catch (error) {
      onError(row, error);
    }
  });
  return joined;
}

/** The fields in which the providers name the mail a second time. */
const detailsSchema = z.object({
  apiData: z.catch(z.optional(z.string()), undefined),
  'smtp-id': z.catch(z.optional(z.string()), undefined),
});

/** The message ids under which the mail may be logged: those for which the current recorder would look. */
function messageIdsOf(row: Row): string[] {
  const details = detailsSchema.safeParse(row['details']).data ?? {};
  const messageId = textOf(row['messageId']);
  // In an event of SendGrid `apiData` would be a user's custom argument.
  const ids =
    providerOf(row) === 'customers-mail-cloud'
      ? customersMailCloudMessageIds(messageId, details.apiData ?? '')
      : [messageId || smtpIdLocalPart(details['smtp-id'] ?? '')];
  return ids.filter((id) => id !== '').map(storableMessageId);
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
