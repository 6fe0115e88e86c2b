/** Reads the headers of a message that the webhook reports. */
import { randomUUID } from 'node:crypto';
import PostalMime, { type Address, decodeWords } from 'postal-mime';
import type { ReceivedMail } from './events.ts';

/**
 * Reads From, Subject, Message-ID and X-Api-Data, also if they are folded or encoded.
 *
 * @param source the message as it came with DATA
 */
export async function readMessage(
  source: Buffer,
  returnPath: string,
  recipients: readonly string[],
): Promise<ReceivedMail> {
  const { headers, from, subject = '', messageId = '' } = await PostalMime.parse(source);
  const apiData = headers.find(({ key }) => key === 'x-api-data')?.value ?? '';
  return {
    returnPath,
    recipients,
    subject,
    from: firstAddress(from) || returnPath,
    // A message without an identifier is given one, as mail servers do.
    messageId: messageId.match(/<[^<>]+>/)?.[0] ?? `<${randomUUID()}@smtps.jp>`,
    apiData: decodeWords(apiData).trim(),
  };
}

function firstAddress(from: Address | undefined): string {
  return from?.address ?? from?.group?.[0]?.address ?? '';
}
