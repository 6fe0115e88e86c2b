/** The EventBridge client: the account's default event bus. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { CLIENT_SETTINGS } from './clients.ts';
import { errorFields, log } from './log.ts';

/** An event as its publisher says it. EventBridge adds id, account, region and time. */
export interface BusEvent {
  readonly source: string;
  readonly detailType: string;
  /** JSON of an object. */
  readonly detail: string;
}

/** The most events that PutEvents takes at once (API reference, PutEvents). */
export const EVENTS_PER_REQUEST = 10;

const ATTEMPTS = 3;
const PAUSE_MS = 100;

export interface EventBus {
  /**
   * Puts events on the bus. PutEvents can take some events of a request and reject others: only those are put again.
   *
   * @param events at most ten
   * @returns the places in `events` of those that the bus did not take at the last attempt
   */
  put(events: readonly BusEvent[]): Promise<number[]>;
}

export function eventBus(
  client = new EventBridgeClient(CLIENT_SETTINGS),
  wait: (ms: number) => Promise<unknown> = sleep,
): EventBus {
  return {
    async put(events) {
      let places = [...events.keys()];
      for (let attempt = 0; attempt < ATTEMPTS && places.length > 0; attempt++) {
        if (attempt > 0) await wait(PAUSE_MS * 2 ** attempt);
        try {
          places = await putOnce(client, events, places);
        } catch (error) {
          // The SDK has tried again by itself.
          log('warn', 'Cannot put events on the bus', { events: places.length, ...errorFields(error) });
          return places;
        }
      }
      return places;
    },
  };
}

/** @returns the places of those that the bus did not take */
async function putOnce(
  client: EventBridgeClient,
  events: readonly BusEvent[],
  places: readonly number[],
): Promise<number[]> {
  const wanted = places.flatMap((place) => events[place] ?? []);
  const { Entries = [] } = await client.send(
    new PutEventsCommand({
      Entries: wanted.map(({ source, detailType, detail }) => ({
        Source: source,
        DetailType: detailType,
        Detail: detail,
      })),
    }),
  );
  const rejected = places.filter((_, n) => Entries[n]?.EventId === undefined);
  if (rejected.length > 0) {
    const errors = new Set(Entries.flatMap(({ ErrorCode }) => ErrorCode ?? []));
    log('warn', 'Cannot put some events on the bus: it rejected them', {
      events: rejected.length,
      errors: [...errors],
    });
  }
  return rejected;
}
