/** Decides by the Bounce rows of an address whether it is suppressed. */
import { type AttributeValue, QueryCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { Row } from '../aws/dynamodb.ts';
import { OUTCOMES } from '../mail/verdict.ts';
import type { Tables } from './tables.ts';

/** Why an address gets no mail. */
export interface Suppressed {
  /** The time of the row that decides; ISO 8601. */
  readonly since: string;
  readonly reason: string;
  /** The kind of row that decides. */
  readonly by: 'bounce' | 'complaint' | 'decision';
}

/** `undecided`: no row decides, so the address is not suppressed. */
export type Suppression = Suppressed | 'allowed' | 'undecided';

/**
 * Whether an address is suppressed, by its rows in any order. The newest row that decides counts. A hard failure, a
 * complaint and a decision to suppress mean: suppressed. A decision to allow means: allowed. Other rows decide nothing.
 * Nor does the row that is written when a recipient is left out because the address is suppressed.
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
 * Whether `row` counts rather than `other`. Both decide, and both are of one address. If they have the same time, a
 * person's decision counts, because providers report whole seconds, and an index has such rows in any order.
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
/** The attributes that {@link suppressionOf} needs. */
export const SUPPRESSION_PROJECTION = {
  ProjectionExpression: ATTRIBUTES.map((name) => `#${name}`).join(', '),
  ExpressionAttributeNames: Object.fromEntries(ATTRIBUTES.map((name) => [`#${name}`, name])),
};

/** Why the address of the row that decides is suppressed; null if it is not. */
export function suppressedBy(deciding: Row | undefined): Suppressed | null {
  const suppression = suppressionOf(deciding ? [deciding] : []);
  return typeof suppression === 'string' ? null : suppression;
}

/** Reads why an address is suppressed; null if it is not. See {@link readDeciding} for the arguments. */
export const readSuppression = async (...asked: Parameters<typeof readDeciding>): Promise<Suppressed | null> =>
  suppressedBy(await readDeciding(...asked));

/**
 * Reads the rows of one address in Bounce, newest first, until one decides. It makes one query per form of the address,
 * or more if the first 1 MB of rows does not decide.
 *
 * @param keys every form of the address; see mailboxKeys
 * @throws the error of the SDK after its own retries, or the reason of the signal
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
      // All rows of the deciding row's time were read. Older rows change nothing.
      if (first && timeOf(Items.at(-1) ?? {}) !== timeOf(first)) break;
      start = LastEvaluatedKey;
    } while (start !== undefined);
    return deciding;
  });
  return decidingOf((await Promise.all(read)).flat());
}
