/** Writes the rows of a mail that the sender hands over, into SentLog and Bounce. */
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { forEachConcurrently } from '../aws/for-each-concurrently.ts';
import type { FailureEvent } from '../mail/event.ts';
import type { OutgoingMail } from '../mail/outgoing-mail.ts';
import type { EventStore } from '../recording/event-store.ts';
import { bounceRow, logRow, storyRow } from '../recording/rows.ts';

export type SentLog = ReturnType<typeof sentLog>;

/** Its methods put rows under derived keys. They throw the errors of the SDK, after its own retries. */
export function sentLog({ client, sentLogTable, bounceTable }: EventStore, retentionDays: number) {
  const put = (table: string, row: Row) => client.send(new PutCommand({ TableName: table, Item: row }));
  return {
    /** Writes the log row of a mail. */
    async logMail(mail: OutgoingMail, messageId: string, sentAtMs: number): Promise<void> {
      await put(sentLogTable, logRow({ ...mail, messageId, mailId: mail.id }, sentAtMs, retentionDays));
    },

    /**
     * Writes failures of recipients into the mail's story and, joined, into Bounce.
     *
     * @param saysNothingOfRecipients writes no Bounce row, because our account or sender address was refused, not a
     * recipient
     */
    async logFailures(
      mail: OutgoingMail,
      messageId: string,
      events: readonly FailureEvent[],
      atMs: number,
      { saysNothingOfRecipients = false } = {},
    ): Promise<void> {
      const time = { receivedAtMs: atMs, retentionDays };
      const { from, to, cc, bcc, subject } = mail;
      const logged = { messageId, mailId: mail.id, from, recipients: [...to, ...cc, ...bcc], subject };
      await forEachConcurrently(events, async (event) => {
        await put(sentLogTable, storyRow(event, messageId, time));
        if (!saysNothingOfRecipients) await put(bounceTable, bounceRow(event, logged, time));
      });
    },
  };
}
