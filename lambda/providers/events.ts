/**
 * Every provider's events, for what works on those of any: to replay what was kept, to show what a post makes. The
 * receivers import their own provider only.
 */
import type { MailEvent } from '../mail/event.ts';
import type { Provider } from '../mail/provider.ts';
import type { WebhookRequest } from '../webhooks/request.ts';
import { normalizeCustomersMailCloud } from './customers-mail-cloud/events.ts';
import { parseCustomersMailCloud } from './customers-mail-cloud/webhook.ts';
import { normalizeSendGrid } from './sendgrid/events.ts';
import { parseSendGrid } from './sendgrid/webhook.ts';

export interface ProviderEvents {
  /**
   * The events of a post, whoever it is from: nothing is verified.
   *
   * @param timeZone IANA name, for times without an offset
   * @throws WebhookRefusal where it cannot be read
   */
  ofPost(request: WebhookRequest, timeZone: string): MailEvent[];
  /** The events of what an `unrecognized` row keeps: the JSON of its `rawEvent`, parsed. */
  ofRawEvent(raw: unknown, timeZone: string): MailEvent[];
}

export const PROVIDER_EVENTS: Readonly<Record<Provider, ProviderEvents>> = {
  sendgrid: {
    ofPost: (request) => parseSendGrid(request).map(normalizeSendGrid),
    ofRawEvent: (raw) => [normalizeSendGrid(raw)],
  },
  'customers-mail-cloud': {
    ofPost: (request, timeZone) =>
      parseCustomersMailCloud(request).map((entry) => normalizeCustomersMailCloud(entry, timeZone)),
    ofRawEvent(raw, timeZone) {
      if (typeof raw !== 'object' || raw === null) return [];
      return Object.entries(raw).flatMap(([eventType, entries]) =>
        [entries].flat().map((entry: unknown) => normalizeCustomersMailCloud({ eventType, entry }, timeZone)),
      );
    },
  },
};
