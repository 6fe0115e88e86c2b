/** Claims items of the Mail table, and writes the result of each attempt into them. */
import { randomInt } from 'node:crypto';
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { isInvalidItem, type Row, UNMARSHALL_OPTIONS } from '../aws/dynamodb.ts';
import { isConditionFailure, updateExpression } from '../aws/update.ts';
import type { Sending } from './sending.ts';
import { isWaiting } from './stuck.ts';

/** A person reads the error in a cell of a table. A thousand refused recipients would fill the item. */
const ERROR_MAX_LENGTH = 2_000;

/** The condition that an item waits to be sent: it is there, and its status is absent or empty. */
export const WAITING = {
  condition:
    'attribute_exists(#id) AND (attribute_not_exists(#status) OR #status = :empty OR attribute_type(#status, :null))',
  names: ['id', 'status'],
  values: { empty: '', null: 'NULL' },
};

/** The error, cut and well-formed, so that the words of a provider cannot make the update fail. */
const shortError = (error: string) => error.slice(0, ERROR_MAX_LENGTH).toWellFormed();

/** A Mail item that this invocation alone may send, until the claim lapses. */
export interface Claim {
  readonly id: string;
  /** The current item. This is what is sent. */
  readonly item: Row;
  /** How often its sending was attempted, this time included, without attempts that the provider deferred. */
  readonly attempts: number;
  /** When the claim lapses. The value is unique; see {@link ticket}. */
  readonly sendingUntil: string;
}

export type ClaimResult =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** Another invocation has claimed the item. Its claim lapses at `untilMs`; Unix milliseconds. */
  | { readonly kind: 'busy'; readonly untilMs: number }
  /**
   * Nothing is to be done: the item is sent, failed or deleted, or another message of RetryQueue continues its sending.
   */
  | { readonly kind: 'done' }
  /** The item has no room for a status within DynamoDB's limit. */
  | { readonly kind: 'unclaimable' };

/** How the sending of an item ended. */
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

/** The Mail table for the sender. Its methods throw the errors of the SDK, after its own retries. */
export function mailTable(client: DynamoDBDocumentClient, table: string) {
  return {
    /**
     * Claims the item of a sending. It can claim an item that waits, one that this sending deferred, or one whose last
     * claim has lapsed. One conditional write decides which invocation sends.
     *
     * @param sendingUntil when the claim lapses, from {@link ticket}
     */
    async claim(sending: Sending, nowMs: number, sendingUntil: string): Promise<ClaimResult> {
      const { id, tickets, wasClaimed } = sending;
      // A deferred sending has tickets. The claim writes the first one into the item, so that the sending can go on if
      // its message is delivered again after a crash.
      const [nextAttemptAt] = tickets;
      try {
        let found: Row = {};
        if (nextAttemptAt !== undefined) {
          const again = await update(id, {
            set: { sendingUntil, nextAttemptAt },
            add: { attempts: 1 },
            ...continuedBy(tickets, nowMs),
          });
          if (again.item) return claimed(id, again.item, sendingUntil);
          found = again.found;
        }
        if (nextAttemptAt === undefined || (!wasClaimed && isWaiting(found['status']))) {
          const remove = ['messageId', 'sentAt', 'error', 'expiresAt'];
          const first = await update(id, {
            set: { status: 'sending', sendingUntil, nextAttemptAt, attempts: 1 },
            remove: nextAttemptAt === undefined ? [...remove, 'nextAttemptAt'] : remove,
            ...WAITING,
          });
          if (first.item) return claimed(id, first.item, sendingUntil);
          found = first.found;
        }
        return await claimHeld(sending, found, nowMs, sendingUntil);
      } catch (error) {
        if (isInvalidItem(error)) return { kind: 'unclaimable' };
        throw error;
      }
    },

    /** Writes how the sending of a claimed item ended. Changes nothing if the item has another claim by now. */
    async finish(claim: Claim, result: SendingResult, expiresAt: number | undefined): Promise<void> {
      const error = result.error === undefined ? undefined : shortError(result.error);
      const remove = ['sendingUntil', 'nextAttemptAt'];
      try {
        await updateClaimed(claim, {
          set: { ...result, error, expiresAt },
          remove: error === undefined ? [...remove, 'error'] : remove,
        });
      } catch (refusal) {
        if (!isInvalidItem(refusal)) throw refusal;
        // The item has no room for the rest. Without a status it would be sent again.
        await updateClaimed(claim, { set: { status: result.status }, remove: [...remove, 'error'] });
      }
    },

    /**
     * Releases a claim. The message of RetryQueue that has `nextAttemptAt` among its tickets continues the sending.
     *
     * @param attempts the item's new number of attempts
     */
    async defer(
      claim: Claim,
      { nextAttemptAt, attempts, error }: { nextAttemptAt: string; attempts: number; error: string },
    ): Promise<void> {
      const change = { set: { nextAttemptAt, attempts }, remove: ['sendingUntil'] };
      try {
        await updateClaimed(claim, { ...change, set: { ...change.set, error: shortError(error) } });
      } catch (refusal) {
        if (!isInvalidItem(refusal)) throw refusal;
        // The item has no room for the error.
        await updateClaimed(claim, change);
      }
    },

    /** Defers an item that waits. Changes no other item. */
    async postpone(id: string, { nextAttemptAt, error }: { nextAttemptAt: string; error: string }): Promise<void> {
      await update(id, {
        set: { status: 'sending', nextAttemptAt, attempts: 0, error: shortError(error) },
        remove: ['messageId', 'sentAt', 'expiresAt', 'sendingUntil'],
        ...WAITING,
      });
    },
  };

  /** Claims an item whose last claim has lapsed, or says why that is not possible. */
  async function claimHeld(
    { id, tickets, wasClaimed }: Sending,
    found: Row,
    nowMs: number,
    sendingUntil: string,
  ): Promise<ClaimResult> {
    const { status, sendingUntil: heldUntil, nextAttemptAt } = found;
    if (status !== 'sending') return { kind: 'done' };
    // This is our claim: the first answer was lost, and the SDK sent the request again.
    if (heldUntil === sendingUntil) return claimed(id, found, sendingUntil);
    const isOurs = [heldUntil, nextAttemptAt].some((value) => typeof value === 'string' && tickets.includes(value));
    // Only its own message of RetryQueue continues a deferred item. A sending that has claimed nothing yet may take
    // over a lapsed claim. Such a claim is left from a crash in an earlier delivery of the same record.
    if (!isOurs && (wasClaimed || nextAttemptAt !== undefined)) return { kind: 'done' };
    if (typeof heldUntil !== 'string') return { kind: 'done' };
    const heldUntilMs = Date.parse(heldUntil);
    if (heldUntilMs > nowMs) return { kind: 'busy', untilMs: heldUntilMs };

    const set = { sendingUntil, nextAttemptAt: tickets[0] };
    const taken = await update(id, { set, add: { attempts: 1 }, ...held(heldUntil) });
    if (taken.item) return claimed(id, taken.item, sendingUntil);
    if (taken.found['sendingUntil'] === sendingUntil) return claimed(id, taken.found, sendingUntil);
    // Another invocation was faster, and may be done by now.
    const { sendingUntil: wonUntil } = taken.found;
    const isHeld = taken.found['status'] === 'sending' && typeof wonUntil === 'string';
    return isHeld ? { kind: 'busy', untilMs: Date.parse(wonUntil) } : { kind: 'done' };
  }

  async function updateClaimed(
    claim: Claim,
    change: { readonly set: Row; readonly remove: readonly string[] },
  ): Promise<void> {
    await update(claim.id, {
      ...change,
      ...held(claim.sendingUntil),
    });
  }

  /** @returns `item` after the update, or `found`, the unchanged item, if the condition was false */
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

/** The condition that the item still has the claim that lapses at `until`. */
const held = (until: string) => ({
  condition: '#status = :sending AND #sendingUntil = :held',
  names: ['status', 'sendingUntil'],
  values: { sending: 'sending', held: until },
});

/** The condition that the item has one of these tickets, and no live claim. */
const continuedBy = (tickets: readonly string[], nowMs: number) => {
  const values = Object.fromEntries(tickets.map((value, n) => [`ticket${n}`, value]));
  const list = Object.keys(values).map((name) => `:${name}`);
  return {
    condition: `#status = :sending AND (#nextAttemptAt IN (${list}) OR #sendingUntil IN (${list})) AND (attribute_not_exists(#sendingUntil) OR #sendingUntil < :now)`,
    names: ['status', 'sendingUntil', 'nextAttemptAt'],
    values: { sending: 'sending', now: new Date(nowMs).toISOString(), ...values },
  };
};

/** A time in ISO 8601 with six more digits, which are random, so that the value is unique. */
export function ticket(atMs: number): string {
  const digits = String(randomInt(1_000_000)).padStart(6, '0');
  return new Date(atMs).toISOString().replace('Z', `${digits}Z`);
}

function claimed(id: string, item: Row, sendingUntil: string): ClaimResult {
  return { kind: 'claimed', claim: { id, item, attempts: Number(item['attempts']), sendingUntil } };
}
