/**
 * Reads the events of each provider, for the recorder, `npm run replay` and the console. A receiver imports only its
 * own provider.
 */
import type { MailEvent } from '../mail/event.ts';
import type { Provider } from '../mail/provider.ts';
import type { WebhookRequest } from '../webhooks/request.ts';
import { entriesOfRawEvent, normalizeCustomersMailCloud, readEntry } from './customers-mail-cloud/events.ts';
import { parseCustomersMailCloud } from './customers-mail-cloud/webhook.ts';
import { normalizeSendGrid } from './sendgrid/events.ts';
import { parseSendGrid } from './sendgrid/webhook.ts';

export interface ProviderEvents {
  /**
   * The events of a post, not yet normalized. It does not verify the post.
   *
   * @throws WebhookRefusal if the post cannot be read
   */
  parse(request: WebhookRequest): unknown[];
  /** The events in the JSON value of an `unrecognized` row's `rawEvent`, not yet normalized. */
  ofRawEvent(raw: unknown): unknown[];
  /**
   * Normalizes one of these events. Never throws.
   *
   * @param timeZone IANA name, for times without an offset
   */
  normalize(received: unknown, timeZone: string): MailEvent;
}

export const PROVIDER_EVENTS: Readonly<Record<Provider, ProviderEvents>> = {
  sendgrid: {
    parse: parseSendGrid,
    ofRawEvent: (raw) => [raw],
    normalize: normalizeSendGrid,
  },
  'customers-mail-cloud': {
    parse: parseCustomersMailCloud,
    ofRawEvent: entriesOfRawEvent,
    normalize: (received, timeZone) => normalizeCustomersMailCloud(readEntry(received), timeZone),
  },
};
