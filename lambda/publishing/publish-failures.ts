/**
 * Processes a batch of the stream of Bounce: joins unmatched rows whose mail is logged by now, and publishes the
 * changes.
 */
import type { DynamoDBBatchResponse } from 'aws-lambda';
import { type BusEvent, EVENTS_PER_REQUEST, type EventBus } from '../aws/event-bus.ts';
import { errorFields, log } from '../aws/log.ts';
import { metricFields } from '../aws/metric.ts';
import { PROVIDERS, providerOf } from '../mail/provider.ts';
import { OUTCOMES } from '../mail/verdict.ts';
import type { EventStore } from '../recording/event-store.ts';
import { joinUnmatched } from '../recording/join-unmatched.ts';
import { type Change, failureEvent } from './failure-event.ts';

/** A record of the stream. */
export interface BounceRecord extends Change {
  readonly sequenceNumber: string;
}

export interface Publisher {
  readonly store: EventStore;
  /** Undefined: nothing is published. */
  readonly bus: EventBus | undefined;
  readonly stackName: string;
}

/**
 * Joins the unmatched rows whose mail is logged, then publishes the records in order, up to the first one that failed.
 * Lambda delivers that record and all later ones again.
 */
export async function publishFailures(
  records: readonly BounceRecord[],
  { store, bus, stackName }: Publisher,
): Promise<DynamoDBBatchResponse> {
  const notJoined = await joinAgain(records, store);
  const upTo = records.findIndex((record) => notJoined.has(record));
  const failed =
    (bus && (await publish(upTo === -1 ? records : records.slice(0, upTo), bus, stackName))) ?? records[upTo];
  return { batchItemFailures: failed ? [{ itemIdentifier: failed.sequenceNumber }] : [] };
}

const keyOf = (row: Change['row']) => JSON.stringify([row?.['fullMessageId'], row?.['eventId']]);

/**
 * Joins unmatched rows with mails that are logged by now. Either a late write put such a row back, or its mail was
 * logged while the row was recorded.
 *
 * @returns the records that failed
 */
async function joinAgain(records: readonly BounceRecord[], store: EventStore): Promise<Set<BounceRecord>> {
  // If a row has several records, only the last one shows its current state.
  const last = new Map(records.map((record) => [keyOf(record.row ?? record.oldRow), record]));
  const unmatched = [...last.values()].filter(
    ({ row }) => row?.['matched'] === false && OUTCOMES.some((outcome) => outcome === row['outcome']),
  );
  const wasMatched = ({ oldRow }: Change) => oldRow?.['matched'] === true;
  const failed = new Set<BounceRecord>();
  for (const rejoined of [false, true]) {
    const some = unmatched.filter((record) => wasMatched(record) === rejoined);
    const recordOf = new Map(some.map((record) => [record.row, record]));
    const fail = (row: Change['row'], error: unknown) => {
      const record = recordOf.get(row);
      if (record === undefined) return;
      failed.add(record);
      log('warn', 'Cannot finish a stream record: it will be delivered again', {
        sequenceNumber: record.sequenceNumber,
        ...errorFields(error),
      });
    };
    const rows = some.map(({ row }) => row).filter((row) => row !== undefined);
    try {
      await joinUnmatched(rows, store, { rejoined, onError: fail });
    } catch (error) {
      for (const row of rows) fail(row, error);
    }
  }
  return failed;
}

/** @returns the first record that the bus did not accept */
async function publish(
  records: readonly BounceRecord[],
  bus: EventBus,
  stackName: string,
): Promise<BounceRecord | undefined> {
  const news = records.flatMap((record) => {
    const event: BusEvent | undefined = failureEvent(record, stackName);
    return event ? [{ record, event }] : [];
  });
  const published: BounceRecord[] = [];
  let failed: BounceRecord | undefined;
  for (let start = 0; start < news.length && failed === undefined; start += EVENTS_PER_REQUEST) {
    const some = news.slice(start, start + EVENTS_PER_REQUEST);
    const rejected = new Set(await bus.put(some.map(({ event }) => event)));
    published.push(...some.flatMap(({ record }, n) => (rejected.has(n) ? [] : [record])));
    failed = some.find((_, n) => rejected.has(n))?.record;
  }
  for (const provider of PROVIDERS) {
    const { length } = published.filter(({ row }) => providerOf(row ?? {}) === provider);
    if (length > 0) log('info', 'published', { provider, ...metricFields(provider, { Published: length }) });
  }
  return failed;
}
