/** Whether an address gets mail: what its Bounce rows say. */
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { OUTCOMES } from '../mail/verdict.ts';
import type { Tables } from './tables.ts';

/** Why an address gets no mail. */
export interface Suppressed {
  /** ISO 8601: when the row that decides happened. */
  readonly since: string;
  readonly reason: string;
  /** The kind of row that decides. */
  readonly by: 'bounce' | 'complaint' | 'decision';
}

/** `undecided`: no row decides, so the address is not suppressed. */
export type Suppression = Suppressed | 'allowed' | 'undecided';

/**
 * What the rows of one address say, newest first: the first row that decides counts. A failure of the class `hard`, a
 * complaint and a decision to suppress suppress. A decision to allow allows. All other rows decide nothing, and neither
 * does the row of a message that was left out because the address was suppressed.
 */
export function suppressionOf(newestFirst: Iterable<Row>): Suppression {
  for (const row of newestFirst) {
    const by = decides(row);
    if (by === 'allowed') return 'allowed';
    if (by === undefined) continue;
    return { since: String(row['occurredAt'] ?? ''), reason: String(row['reason'] ?? ''), by };
  }
  return 'undecided';
}

function decides({ outcome, bounceClass, type }: Row): Suppressed['by'] | 'allowed' | undefined {
  if (outcome === 'allowed') return 'allowed';
  if (outcome === 'suppressed') return 'decision';
  if (type === 'suppressed') return undefined;
  if (outcome === 'complained') return 'complaint';
  return bounceClass === 'hard' && OUTCOMES.some((failure) => failure === outcome) ? 'bounce' : undefined;
}

/** Pages of Bounce that are read for an address: 1 MB each, which is more than a thousand rows. */
const MAX_PAGES = 10;

/**
 * Reads Bounce for one address until a row decides. If ten thousand rows do not, the address counts as not suppressed.
 *
 * @param keys every form of the address; see mailboxKeys
 */
export async function readSuppression({ client, bounce }: Tables, keys: readonly string[]): Promise<Suppressed | null> {
  const read = keys.map(async (key) => {
    let start: Record<string, unknown> | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const { Items = [], LastEvaluatedKey } = await client.send(
        new QueryCommand({
          TableName: bounce,
          IndexName: 'byRecipient',
          KeyConditionExpression: '#toEmail = :toEmail',
          ProjectionExpression: '#occurredAt, #outcome, #bounceClass, #type, #reason',
          ExpressionAttributeNames: Object.fromEntries(
            ['toEmail', 'occurredAt', 'outcome', 'bounceClass', 'type', 'reason'].map((name) => [`#${name}`, name]),
          ),
          ExpressionAttributeValues: { ':toEmail': key },
          ScanIndexForward: false,
          ExclusiveStartKey: start,
        }),
      );
      const deciding = Items.find((row) => decides(row) !== undefined);
      if (deciding !== undefined) return deciding;
      start = LastEvaluatedKey;
      if (start === undefined) return undefined;
    }
    return undefined;
  });
  const time = (row: Row) => String(row['occurredAt']);
  const deciding = (await Promise.all(read)).filter((row) => row !== undefined);
  const suppression = suppressionOf(deciding.sort((a, b) => (time(a) < time(b) ? 1 : -1)));
  return typeof suppression === 'string' ? null : suppression;
}
