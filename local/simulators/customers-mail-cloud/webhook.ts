/** Makes Customers Mail Cloud's webhook posts. */
import type { Pending } from '../outbox.ts';
import type { WebhookPost } from '../webhook-post.ts';
import type { CustomersMailCloudEvent } from './events.ts';

/** The fields of a post that name the account and prove the sender. */
interface WebhookIdentity {
  /** Left out where empty. */
  readonly apiKey: string;
  readonly serverComposition: string;
}

/** The default of the account's settings. */
const MAX_POST_EVENTS = 100;

/** Divides events into posts of one type and no more than 100 entries. */
export function splitByType(events: readonly Pending<CustomersMailCloudEvent>[]): Pending<CustomersMailCloudEvent>[][] {
  const posts: Pending<CustomersMailCloudEvent>[][] = [];
  for (const pending of events) {
    const open = posts.findLast(([first]) => first?.event.type === pending.event.type);
    if (open && open.length < MAX_POST_EVENTS) open.push(pending);
    else posts.push([pending]);
  }
  return posts;
}

/**
 * A post of events of one type. There is no signature; the API key in the body proves the sender.
 *
 * @param format `form` is what Customers Mail Cloud posts unless "use JSON format" is ticked
 * @see https://smtps.jp/docs-en/apiv2/webhook/event/
 */
export function eventPost(
  events: readonly CustomersMailCloudEvent[],
  { apiKey, serverComposition }: WebhookIdentity,
  format: 'form' | 'json',
): WebhookPost {
  const type = events[0]?.type ?? 'deliveries';
  const event = { [type]: events.map(({ entry }) => entry) };
  const fields = {
    ...(apiKey === '' ? {} : { api_key: apiKey }),
    server_composition: serverComposition,
    event_type: type,
  };
  return format === 'json'
    ? { headers: { 'Content-Type': 'application/json' }, body: Buffer.from(escapedJson({ ...fields, event })) }
    : {
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: Buffer.from(new URLSearchParams({ ...fields, event: escapedJson(event) }).toString()),
      };
}

function escapedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003C').replaceAll('>', '\\u003E');
}
