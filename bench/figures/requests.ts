/** Figures: requests to DynamoDB, and write units. */
import type { Bench } from '../support/bench.ts';
import { type Figure, figure } from '../support/figure.ts';
import { expectAccepted } from '../support/measured-process.ts';
import {
  bounces,
  customersMailCloudInvocation,
  deliveries,
  LARGE_POST_EVENTS,
  logRow,
  messageIdOf,
  opensAndClicks,
  sendGridInvocation,
} from '../support/posts.ts';
import { capacityOf, writtenItems } from '../support/write-units.ts';

const SMALL_POST_EVENTS = 100;

/** Counts, at the proxy, what the receivers ask of DynamoDB; and what it costs to write. */
export async function requests(bench: Bench): Promise<Figure[]> {
  const storage = await bench.storage();
  const environment = { ...storage.tables, AWS_ENDPOINT_URL_DYNAMODB: storage.proxy.endpoint };
  const sendGrid = await bench.start(bench.function('ReceiveSendGrid'), environment);
  const customersMailCloud = await bench.start(bench.function('ReceiveCustomersMailCloud'), environment);
  const count = async (work: () => Promise<{ results: readonly unknown[] }>) => {
    storage.proxy.calls.length = 0;
    expectAccepted((await work()).results);
    return storage.proxy.calls.length;
  };

  const unlogged = await count(() =>
    sendGrid.invoke(sendGridInvocation(bounces({ tag: 'u', count: LARGE_POST_EVENTS }))),
  );
  const rows = Array.from({ length: LARGE_POST_EVENTS }, (_, n) =>
    logRow(messageIdOf('m', n), [`recipient-${n}@example.jp`]),
  );
  await storage.put(storage.tables.SENT_LOG_TABLE, rows);
  const logged = await count(() =>
    sendGrid.invoke(sendGridInvocation(bounces({ tag: 'm', count: LARGE_POST_EVENTS }))),
  );
  const bounceUnits = capacityOf(writtenItems(storage.proxy.calls), storage.tables);

  const delivered = await count(() =>
    customersMailCloud.invoke(customersMailCloudInvocation(deliveries('d', SMALL_POST_EVENTS))),
  );
  const progressUnits = capacityOf(writtenItems(storage.proxy.calls), storage.tables);
  const irrelevant = await count(() => sendGrid.invoke(sendGridInvocation(opensAndClicks(SMALL_POST_EVENTS))));
  await Promise.all([sendGrid.stop(), customersMailCloud.stop()]);
  await storage.close();

  const perBounce = bounceUnits.units / LARGE_POST_EVENTS;
  const perProgress = progressUnits.units / SMALL_POST_EVENTS;
  return [
    figure({
      name: 'requests',
      samples: [unlogged / LARGE_POST_EVENTS],
      unit: 'requests per event',
      goal: { atMost: 0.1 },
      detail: `${unlogged} requests for ${LARGE_POST_EVENTS} bounces of mails that nobody logged, ${logged} where all are logged; sequential: 2 per event`,
    }),
    figure({
      name: 'requests, deliveries',
      samples: [delivered / SMALL_POST_EVENTS],
      unit: 'requests per event',
      goal: { atMost: 0.04 },
      detail: `${delivered} requests for ${SMALL_POST_EVENTS} entries`,
    }),
    figure({
      name: 'requests, irrelevant',
      samples: [irrelevant / SMALL_POST_EVENTS],
      unit: 'requests per event',
      goal: { atMost: 0 },
      goalText: '0',
      detail: `${SMALL_POST_EVENTS} opens and clicks`,
    }),
    figure({
      name: 'write units',
      samples: [perProgress],
      unit: 'units per progress event',
      goal: { atMost: 1 },
      goalText: 'a progress event is 1',
      detail: `a bounce is ${perBounce.toFixed(1)}: ${bounceUnits.detail}; a progress event: ${progressUnits.detail}`,
    }),
  ];
}
