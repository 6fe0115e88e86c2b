/** Whether an address gets mail: what its Bounce rows say. */
import { type AttributeValue, QueryCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
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
 * What the rows of one address say, in any order: the newest row that decides counts. A failure of the class `hard`, a
 * complaint and a decision to suppress suppress. A decision to allow allows. All other rows decide nothing, and neither
 * does the row of a message that was left out because the address was suppressed.
 */
export function suppressionOf(rows: Iterable<Row>): Suppression {
  const deciding = decidingOf(rows);
  const by = deciding && decides(deciding);
  if (deciding === undefined || by === undefined) return 'undecided';
  return by === 'allowed' ? by : { since: timeOf(deciding), reason: String(deciding['reason'] ?? ''), by };
}

function decidingOf(rows: Iterable<Row>): Row | undefined {
  let deciding: Row | undefined;
  for (const row of rows) if (decides(row) !== undefined && outranks(row, deciding)) deciding = row;
  return deciding;
}

/** What a row decides; undefined if it decides nothing. */
function decides({ outcome, bounceClass, type }: Row): Suppressed['by'] | 'allowed' | undefined {
  if (outcome === 'allowed') return 'allowed';
  if (outcome === 'suppressed') return 'decision';
  if (type === 'suppressed') return undefined;
  if (outcome === 'complained') return 'complaint';
  return bounceClass === 'hard' && OUTCOMES.some((failure) => failure === outcome) ? 'bounce' : undefined;
}

/**
 * Whether of two rows of an address that decide the first one counts. Of rows of the same time a decision counts: providers
 * report whole seconds, and an index has such rows in any order.
 */
export function outranks(row: Row, other: Row | undefined): boolean {
  if (other === undefined || timeOf(row) > timeOf(other)) return true;
  return timeOf(row) === timeOf(other) && isDecision(row);
}

const isDecision = ({ outcome }: Row) => outcome === 'allowed' || outcome === 'suppressed';
const timeOf = (row: Row) => String(row['occurredAt'] ?? '');

const WORDS = { bounce: 'a hard bounce', complaint: 'a complaint', decision: 'a decision' } as const;

/** `suppressed since 2026-11-24T10:00:00.000Z by a hard bounce: 550 5.1.1 …` */
export const suppressedText = ({ since, by, reason }: Suppressed): string =>
  `suppressed since ${since} by ${WORDS[by]}${reason && `: ${reason}`}`;

const ATTRIBUTES = ['toEmail', 'occurredAt', 'outcome', 'bounceClass', 'type', 'reason'];
/** What {@link suppressionOf} needs of a row. */
export const SUPPRESSION_PROJECTION = {
  ProjectionExpression: ATTRIBUTES.map((name) => `#${name}`).join(', '),
  ExpressionAttributeNames: Object.fromEntries(ATTRIBUTES.map((name) => [`#${name}`, name])),
};

/** What the row that decides says; null if the address is not suppressed. */
export function suppressedBy(deciding: Row | undefined): Suppressed | null {
  const suppression = suppressionOf(deciding ? [deciding] : []);
  return typeof suppression === 'string' ? null : suppression;
}

/** What {@link readDeciding} says of an address; null if it is not suppressed. */
export const readSuppression = async (...asked: Parameters<typeof readDeciding>): Promise<Suppressed | null> =>
  suppressedBy(await readDeciding(...asked));

/**
 * Reads Bounce for one address until a row decides: one query per form of the address, as long as its rows are smaller than
 * 1 MB.
 *
 * @param keys every form of the address; see mailboxKeys
 * @throws whatever the SDK throws after its own retries, and the signal's reason
 */
export async function readDeciding(
  { client, bounce }: Pick<Tables, 'client' | 'bounce'>,
  keys: readonly string[],
  signal?: AbortSignal,
): Promise<Row | undefined> {
  const read = keys.map(async (key) => {
    const deciding: Row[] = [];
    let start: Record<string, AttributeValue> | undefined;
    do {
      // The plain command takes a fifth less CPU time than the document client's: a message may have 1,000 recipients.
      const command = new QueryCommand({
        TableName: bounce,
        IndexName: 'byRecipient',
        KeyConditionExpression: '#toEmail = :toEmail',
        ...SUPPRESSION_PROJECTION,
        ExpressionAttributeValues: { ':toEmail': { S: key } },
        ScanIndexForward: false,
        ExclusiveStartKey: start,
      });
      const page = await client.send(command, signal && { abortSignal: signal });
      const { LastEvaluatedKey } = page;
      const Items = (page.Items ?? []).map((item) => unmarshall(item));
      deciding.push(...Items.filter((row) => decides(row) !== undefined));
      const [first] = deciding;
      // Older rows change nothing.
      if (first && timeOf(Items.at(-1) ?? {}) !== timeOf(first)) break;
      start = LastEvaluatedKey;
    } while (start !== undefined);
    return deciding;
  });
  return decidingOf((await Promise.all(read)).flat());
}
