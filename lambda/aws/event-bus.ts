/** Puts events on the account's default event bus. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { CLIENT_SETTINGS } from './clients.ts';
import { errorFields, log } from './log.ts';

/** An event to put. EventBridge adds id, account, region and time. */
export interface BusEvent {
  readonly source: string;
  readonly detailType: string;
  /** JSON of an object. */
  readonly detail: string;
}

/** The most events of one request (API reference, PutEvents). */
export const EVENTS_PER_REQUEST = 10;

const ATTEMPTS = 3;
const PAUSE_MS = 100;

export interface EventBus {
  /**
   * Puts events on the bus. PutEvents can accept some events of a request and reject others. Rejected ones are put
   * again.
   *
   * @param events at most ten
   * @returns the indexes in `events` of the events that the bus did not accept
   */
  put(events: readonly BusEvent[]): Promise<number[]>;
}

export function eventBus(
  client = new EventBridgeClient(CLIENT_SETTINGS),
  wait: (ms: number) => Promise<unknown> = sleep,
): EventBus {
  return {
    async put(events) {
      let indexes = [...events.keys()];
      for (let attempt = 0; attempt < ATTEMPTS && indexes.length > 0; attempt++) {
        if (attempt > 0) await wait(PAUSE_MS * 2 ** attempt);
        try {
          indexes = await putOnce(client, events, indexes);
        } catch (error) {
          // Not tried again: the SDK has made its own retries.
          log('warn', 'Cannot put events on the bus', { events: indexes.length, ...errorFields(error) });
          return indexes;
        }
      }
      return indexes;
    },
  };
}

/** @returns the indexes of the events that the bus rejected */
async function putOnce(
  client: EventBridgeClient,
  events: readonly BusEvent[],
  indexes: readonly number[],
): Promise<number[]> {
  const wanted = indexes.flatMap((index) => events[index] ?? []);
  const { Entries = [] } = await client.send(
    new PutEventsCommand({
      Entries: wanted.map(({ source, detailType, detail }) => ({
        Source: source,
        DetailType: detailType,
        Detail: detail,
      })),
    }),
  );
  const rejected = indexes.filter((_, n) => Entries[n]?.EventId === undefined);
  if (rejected.length > 0) {
    const errors = new Set(Entries.flatMap(({ ErrorCode }) => ErrorCode ?? []));
    log('warn', 'Cannot put some events on the bus: it rejected them', {
      events: rejected.length,
      errors: [...errors],
    });
  }
  return rejected;
}
