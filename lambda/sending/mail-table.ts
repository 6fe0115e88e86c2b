/** The Mail table: who may send an item, and what became of it. */
import { randomInt } from 'node:crypto';
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { isInvalidItem, type Row, UNMARSHALL_OPTIONS } from '../aws/dynamodb.ts';
import { isConditionFailure, updateExpression } from '../aws/update.ts';

/** A person reads it in a table's cell; a thousand refused recipients would fill the item. */
const ERROR_MAX_LENGTH = 2_000;

/** The condition that an item waits to be sent: it is there, and its status is absent or empty. */
export const WAITING = {
  condition:
    'attribute_exists(#id) AND (attribute_not_exists(#status) OR #status = :empty OR attribute_type(#status, :null))',
  names: ['id', 'status'],
  values: { empty: '', null: 'NULL' },
};

/** Nothing that a provider said may keep the rest from being written. */
const shortError = (error: string) => error.slice(0, ERROR_MAX_LENGTH).toWellFormed();

/** A Mail item that this invocation alone may send, until the claim lapses. */
export interface Claim {
  readonly id: string;
  /** The item as it is now: this is what is sent. */
  readonly item: Row;
  /** How often its sending was begun, this time included; without what was released. */
  readonly attempts: number;
  /** ISO 8601. */
  readonly sendingUntil: string;
}

export type ClaimResult =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** Another invocation is sending it; its claim lapses then (Unix milliseconds). */
  | { readonly kind: 'busy'; readonly untilMs: number }
  /** It is sent, failed, or gone: nothing is to be done. */
  | { readonly kind: 'done' }
  /** The item is so large that DynamoDB takes no status into it. */
  | { readonly kind: 'unclaimable' };

/** What a mail's sending ended with. */
export type SendingResult =
  | {
      readonly status: 'sent';
      readonly messageId: string | undefined;
      readonly sentAt: string;
      readonly error?: string | undefined;
      readonly attempts?: undefined;
    }
  | {
      readonly status: 'failed';
      readonly messageId?: string | undefined;
      readonly error: string;
      readonly attempts: number;
    };

export type MailTable = ReturnType<typeof mailTable>;

/** Who may send which item, by conditional writes. Its methods throw what the SDK throws after its own retries. */
export function mailTable(client: DynamoDBDocumentClient, table: string) {
  return {
    /**
     * Claims an item that waits to be sent, or whose last claim lapsed. One conditional write decides who sends.
     *
     * @param untilMs when the claim lapses; Unix milliseconds
     */
    async claim(id: string, nowMs: number, untilMs: number): Promise<ClaimResult> {
      const sendingUntil = claimTime(untilMs);
      const first = await update(id, {
        set: { status: 'sending', sendingUntil, attempts: 1 },
        remove: ['messageId', 'sentAt', 'error', 'expiresAt'],
        ...WAITING,
      }).catch((error) => {
        if (isInvalidItem(error)) return undefined;
        throw error;
      });
      if (!first) return { kind: 'unclaimable' };
      if (first.item) return claimed(id, first.item, sendingUntil);

      const { status, sendingUntil: heldUntil, attempts } = first.found;
      if (status !== 'sending' || typeof heldUntil !== 'string') return { kind: 'done' };
      // The claim was made, its answer was lost, and the SDK asked again.
      if (heldUntil === sendingUntil) return claimed(id, first.found, sendingUntil);
      const heldUntilMs = Date.parse(heldUntil);
      if (heldUntilMs > nowMs) return { kind: 'busy', untilMs: heldUntilMs };

      const again = await update(id, {
        set: { sendingUntil, attempts: (Number(attempts) || 0) + 1 },
        ...held(heldUntil),
      });
      if (again.item) return claimed(id, again.item, sendingUntil);
      const { sendingUntil: wonUntil } = again.found;
      if (wonUntil === sendingUntil) return claimed(id, again.found, sendingUntil);
      // Another was quicker, and may be done by now.
      const isHeld = again.found['status'] === 'sending' && typeof wonUntil === 'string';
      return isHeld ? { kind: 'busy', untilMs: Date.parse(wonUntil) } : { kind: 'done' };
    },

    /** Writes what became of a claimed item. Changes nothing where the claim is no longer ours. */
    async finish(claim: Claim, result: SendingResult, expiresAt: number | undefined): Promise<void> {
      const error = result.error === undefined ? undefined : shortError(result.error);
      try {
        await updateClaimed(claim, {
          set: { ...result, error, expiresAt },
          remove: error === undefined ? ['sendingUntil', 'error'] : ['sendingUntil'],
        });
      } catch (refusal) {
        if (!isInvalidItem(refusal)) throw refusal;
        // The item leaves no room for more. That it is done must be written all the same, or it would be sent again.
        await updateClaimed(claim, { set: { status: result.status }, remove: ['sendingUntil', 'error'] });
      }
    },

    /**
     * Gives a claim back, so that the item is tried again at once when its record comes again.
     *
     * @param attempts how many beginnings the item is to count from now on
     */
    async release(
      claim: Claim,
      nowMs: number,
      { error, attempts }: { readonly error: string; readonly attempts: number },
    ): Promise<void> {
      const set = { sendingUntil: new Date(nowMs).toISOString(), attempts };
      try {
        await updateClaimed(claim, { set: { ...set, error: shortError(error) } });
      } catch (refusal) {
        if (!isInvalidItem(refusal)) throw refusal;
        // The item leaves no room for more. It must be given back all the same, or its beginnings would be used up.
        await updateClaimed(claim, { set });
      }
    },
  };

  async function updateClaimed(claim: Claim, change: { set: Row; remove?: string[] }): Promise<void> {
    await update(claim.id, {
      ...change,
      ...held(claim.sendingUntil),
    });
  }

  /** @returns the item after the update, or as it was found where the condition did not hold */
  async function update(
    id: string,
    change: Parameters<typeof updateExpression>[0],
  ): Promise<{ item?: Row; found: Row }> {
    try {
      const answer = await client.send(
        new UpdateCommand({
          TableName: table,
          Key: { id },
          ...updateExpression(change),
          ReturnValues: 'ALL_NEW',
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return { item: answer.Attributes ?? {}, found: {} };
    } catch (error) {
      if (!isConditionFailure(error)) throw error;
      return { found: error.Item ? unmarshall(error.Item, UNMARSHALL_OPTIONS) : {} };
    }
  }
}

/** The condition that the claim that lapses then is still the last one. */
const held = (until: string) => ({
  condition: '#status = :sending AND #sendingUntil = :held',
  names: ['status', 'sendingUntil'],
  values: { sending: 'sending', held: until },
});

/** The time with six more digits, by which a claim is told from every other that lapses in the same millisecond. */
function claimTime(untilMs: number): string {
  const digits = String(randomInt(1_000_000)).padStart(6, '0');
  return new Date(untilMs).toISOString().replace('Z', `${digits}Z`);
}

function claimed(id: string, item: Row, sendingUntil: string): ClaimResult {
  return { kind: 'claimed', claim: { id, item, attempts: Number(item['attempts']), sendingUntil } };
}
