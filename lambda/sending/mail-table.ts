/** The Mail table: who may send an item, and how its sending ended. */
import { randomInt } from 'node:crypto';
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { isInvalidItem, type Row, UNMARSHALL_OPTIONS } from '../aws/dynamodb.ts';
import { isConditionFailure, updateExpression } from '../aws/update.ts';
import type { Sending } from './sending.ts';
import { isWaiting } from './stuck.ts';

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
  /** How often its sending was attempted, this time included; without attempts that were deferred. */
  readonly attempts: number;
  /** ISO 8601, with digits that tell the claim from every other. */
  readonly sendingUntil: string;
}

export type ClaimResult =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** Another invocation is sending it; its claim lapses then (Unix milliseconds). */
  | { readonly kind: 'busy'; readonly untilMs: number }
  /** It is sent, failed or gone, or goes on in another message of RetryQueue: nothing is to be done. */
  | { readonly kind: 'done' }
  /** The item is so large that DynamoDB takes no status into it. */
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

/** Who may send which item, by conditional writes. Its methods throw what the SDK throws after its own retries. */
export function mailTable(client: DynamoDBDocumentClient, table: string) {
  return {
    /**
     * Claims the item of a sending: an item that waits, one that this sending has deferred, or one whose last claim lapsed.
     * One conditional write decides who sends.
     *
     * @param sendingUntil when the claim lapses, from {@link ticket}
     */
    async claim(sending: Sending, nowMs: number, sendingUntil: string): Promise<ClaimResult> {
      const { id, tickets, wasClaimed } = sending;
      // Of a message of RetryQueue, which finds it in the item if it is delivered again after a crash.
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

    /** Writes how the sending of a claimed item ended. Changes nothing if the claim is no longer ours. */
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
        // The item leaves no room for more. Its status must be written all the same, or it would be sent again.
        await updateClaimed(claim, { set: { status: result.status }, remove: [...remove, 'error'] });
      }
    },

    /**
     * Gives a claim back. The sending goes on with the message of RetryQueue that has `nextAttemptAt` among its tickets.
     *
     * @param attempts how many attempts the item counts from now on
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
        // The item leaves no room for more.
        await updateClaimed(claim, change);
      }
    },

    /** Writes into an item that waits that it is not attempted before `nextAttemptAt`. Changes nothing in any other item. */
    async postpone(id: string, { nextAttemptAt, error }: { nextAttemptAt: string; error: string }): Promise<void> {
      await update(id, {
        set: { status: 'sending', nextAttemptAt, attempts: 0, error: shortError(error) },
        remove: ['messageId', 'sentAt', 'expiresAt', 'sendingUntil'],
        ...WAITING,
      });
    },
  };

  /** Claims an item whose last claim has lapsed, or says who has it. */
  async function claimHeld(
    { id, tickets, wasClaimed }: Sending,
    found: Row,
    nowMs: number,
    sendingUntil: string,
  ): Promise<ClaimResult> {
    const { status, sendingUntil: heldUntil, nextAttemptAt } = found;
    if (status !== 'sending') return { kind: 'done' };
    // The claim was made, its answer was lost, and the SDK asked again.
    if (heldUntil === sendingUntil) return claimed(id, found, sendingUntil);
    const isOurs = [heldUntil, nextAttemptAt].some((held) => typeof held === 'string' && tickets.includes(held));
    // A deferred item goes on with its message of RetryQueue, and with nothing else. A message that claimed nothing yet
    // stands for its record: it takes over a claim that a crash of the record's earlier delivery left.
    if (!isOurs && (wasClaimed || nextAttemptAt !== undefined)) return { kind: 'done' };
    if (typeof heldUntil !== 'string') return { kind: 'done' };
    const heldUntilMs = Date.parse(heldUntil);
    if (heldUntilMs > nowMs) return { kind: 'busy', untilMs: heldUntilMs };

    const set = { sendingUntil, nextAttemptAt: tickets[0] };
    const taken = await update(id, { set, add: { attempts: 1 }, ...held(heldUntil) });
    if (taken.item) return claimed(id, taken.item, sendingUntil);
    if (taken.found['sendingUntil'] === sendingUntil) return claimed(id, taken.found, sendingUntil);
    // Another was quicker, and may be done by now.
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

/** The condition that the sending with these tickets may go on: no other attempt is under way. */
const continuedBy = (tickets: readonly string[], nowMs: number) => {
  const values = Object.fromEntries(tickets.map((value, n) => [`ticket${n}`, value]));
  const list = Object.keys(values).map((name) => `:${name}`);
  return {
    condition: `#status = :sending AND (#nextAttemptAt IN (${list}) OR #sendingUntil IN (${list})) AND (attribute_not_exists(#sendingUntil) OR #sendingUntil < :now)`,
    names: ['status', 'sendingUntil', 'nextAttemptAt'],
    values: { sending: 'sending', now: new Date(nowMs).toISOString(), ...values },
  };
};

/** A time with more digits, by which it is told from every other value for the same millisecond. ISO 8601. */
export function ticket(atMs: number): string {
  const digits = String(randomInt(1_000_000)).padStart(6, '0');
  return new Date(atMs).toISOString().replace('Z', `${digits}Z`);
}

function claimed(id: string, item: Row, sendingUntil: string): ClaimResult {
  return { kind: 'claimed', claim: { id, item, attempts: Number(item['attempts']), sendingUntil } };
}
