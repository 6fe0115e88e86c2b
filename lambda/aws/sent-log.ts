import { type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { OutgoingMail } from '../mail/outgoing-mail.ts';
import { logRow, type Refusal, refusalRow } from '../mail/rows.ts';
import { forEachConcurrently, type Row } from './tables.ts';

/** The SentLog table, as the sender writes it. */
export function sentLog(client: DynamoDBDocumentClient, table: string, retentionDays: number) {
  const put = (row: Row) => client.send(new PutCommand({ TableName: table, Item: row }));
  return {
    /** Writes the log row of a mail. */
    async logMail(mail: OutgoingMail, messageId: string, sentAtMs: number): Promise<void> {
      await put(logRow({ ...mail, messageId, mailId: mail.id }, sentAtMs, retentionDays));
    },

    /** Writes a `failed` event for each refused recipient into the mail's story. */
    async logRefusals(
      mail: OutgoingMail,
      messageId: string,
      refusals: readonly Pick<Refusal, 'recipient' | 'reply'>[],
      atMs: number,
    ): Promise<void> {
      await forEachConcurrently(refusals, async ({ recipient, reply }) => {
        await put(refusalRow({ provider: mail.provider, messageId, recipient, reply }, atMs, retentionDays));
      });
    },
  };
}
