/** Figure: from the raw body to events. */
import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { type Figure, figure, median, ratios } from '../support/figure.ts';
import {
  bounces,
  CUSTOMERS_MAIL_CLOUD_KEY,
  deliveries,
  LARGE_POST_EVENTS,
  SENDGRID_PUBLIC_KEY,
  signed,
} from '../support/posts.ts';

/** Microseconds of CPU for one event, from the raw body to what is recorded. */
const MAX_MICROSECONDS = 5;

export async function normalizing(bench: Bench): Promise<Figure[]> {
  const body = JSON.stringify(bounces({ tag: 'n', count: LARGE_POST_EVENTS }));
  const sendGrid = await compare(bench, {
    what: 'normalize SendGrid',
    headers: { 'content-type': 'application/json', ...signed(body) },
    body,
    secret: SENDGRID_PUBLIC_KEY,
    runs: bench.runs,
    repeat: { ours: 20, theirs: 40 },
  });
  const entries = deliveries('n', 100);
  const customersMailCloud = await compare(bench, {
    what: 'normalize Customers Mail Cloud',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ api_key: CUSTOMERS_MAIL_CLOUD_KEY, event: { deliveries: entries } }),
    secret: CUSTOMERS_MAIL_CLOUD_KEY,
    runs: bench.runs,
    repeat: { ours: 200, theirs: 400 },
  });
  const perEvent = median(sendGrid.ours) / LARGE_POST_EVENTS;
  return [
    figure({
      name: 'normalizing',
      samples: ratios(sendGrid.ours, sendGrid.theirs),
      unit: 'times the CPU of JSON.parse',
      goal: { atMost: 3 },
      goalText: `≤ 3, and under ${MAX_MICROSECONDS} µs an event`,
      also: perEvent < MAX_MICROSECONDS,
      detail: `${perEvent.toFixed(2)} µs an event of SendGrid's, JSON.parse alone ${(median(sendGrid.theirs) / LARGE_POST_EVENTS).toFixed(2)}; ${(median(customersMailCloud.ours) / entries.length).toFixed(2)} µs an entry of Customers Mail Cloud's, JSON.parse ${(median(customersMailCloud.theirs) / entries.length).toFixed(2)}`,
    }),
  ];
}
