/** Reads all addresses that are suppressed now. */
import { paginateScan } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../../../lambda/aws/dynamodb.ts';
import { forEachConcurrently } from '../../../lambda/aws/for-each-concurrently.ts';
import { mailboxKey } from '../../../lambda/mail/address.ts';
import { SUPPRESSION_PROJECTION } from '../../../lambda/recipients/read-suppression.ts';
import { outranks, type Suppressed, suppressionOf } from '../../../lambda/recipients/suppression.ts';
import type { Tables } from '../../../lambda/recipients/tables.ts';

export interface SuppressedAddress extends Suppressed {
  readonly email: string;
}

/** Parts of the table that are read at one time. */
const SEGMENTS = 4;
/** A reason may be a long reply of a mail server, and one for each address is in memory. */
const REASON_MAX_LENGTH = 500;

/**
 * Reads all of Bounce, because no index has only the rows that suppress.
 *
 * @param progress called for each page of 1 MB with the number of its rows
 */
export async function readSuppressedAddresses(
  { client, bounce }: Tables,
  progress: (rows: number) => void,
): Promise<SuppressedAddress[]> {
  const deciding = new Map<string, Row>();
  const segments = Array.from({ length: SEGMENTS }, (_, segment) => segment);
  await forEachConcurrently(segments, async (Segment) => {
    const scan = paginateScan(
      { client },
      {
        TableName: bounce,
        Segment,
        TotalSegments: SEGMENTS,
        ...SUPPRESSION_PROJECTION,
        FilterExpression:
          'attribute_exists(#toEmail) AND (#outcome IN (:complained, :suppressed, :allowed) OR #bounceClass = :hard)',
        ExpressionAttributeValues: {
          ':complained': 'complained',
          ':suppressed': 'suppressed',
          ':allowed': 'allowed',
          ':hard': 'hard',
        },
      },
    );
    for await (const { Items = [], ScannedCount = 0 } of scan) {
      for (const row of Items) {
        const email = mailboxKey(String(row['toEmail']));
        const known = deciding.get(email);
        if (suppressionOf([row]) === 'undecided' || !outranks(row, known)) continue;
        deciding.set(email, { ...row, reason: String(row['reason'] ?? '').slice(0, REASON_MAX_LENGTH) });
      }
      progress(ScannedCount);
    }
  });
  return Array.from(deciding, ([email, row]) => ({ email, suppression: suppressionOf([row]) }))
    .flatMap(({ email, suppression }) => (typeof suppression === 'string' ? [] : [{ email, ...suppression }]))
    .sort((a, b) => (a.email < b.email ? -1 : 1));
}
