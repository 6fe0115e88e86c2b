/** The account's Event Webhooks. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import * as z from 'zod';

const flag = z.boolean().default(false);

/** The settings of an Event Webhook in a request. Missing ones are off. */
export const webhookSettings = z.object({
  enabled: flag,
  url: z.url(),
  friendly_name: z.string().optional(),
  processed: flag,
  deferred: flag,
  delivered: flag,
  bounce: flag,
  dropped: flag,
  spam_report: flag,
  open: flag,
  click: flag,
  unsubscribe: flag,
  group_unsubscribe: flag,
  group_resubscribe: flag,
  account_status_change: flag,
});
type WebhookSettings = z.infer<typeof webhookSettings>;

/** An Event Webhook: its address, its events and its signing key. */
export interface EventWebhook {
  readonly id: string;
  readonly settings: WebhookSettings;
  /** Signs posts if `signed` is true. The key stays the same when `signed` changes. */
  readonly privateKey: KeyObject;
  readonly signed: boolean;
}

/** The Event Webhooks of the simulated account. One is set up at the start. */
export class EventWebhooks {
  #webhooks: readonly EventWebhook[];

  constructor(first: EventWebhook | undefined) {
    this.#webhooks = first === undefined ? [] : [first];
  }

  list(): readonly EventWebhook[] {
    return this.#webhooks;
  }

  find(id: string): EventWebhook | undefined {
    return this.#webhooks.find((webhook) => webhook.id === id);
  }

  /** @returns the new webhook, or why there is none */
  create(settings: WebhookSettings): EventWebhook | { readonly refusal: string } {
    if (this.#webhooks.some((webhook) => webhook.settings.url === settings.url)) {
      return { refusal: `Webhook at '${settings.url}' already exists. Please provide a unique URL.` };
    }
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const webhook = { id: randomUUID(), settings, privateKey, signed: false };
    this.#webhooks = [...this.#webhooks, webhook];
    return webhook;
  }

  change(id: string, change: Partial<Pick<EventWebhook, 'settings' | 'signed'>>): EventWebhook | undefined {
    this.#webhooks = this.#webhooks.map((webhook) => (webhook.id === id ? { ...webhook, ...change } : webhook));
    return this.find(id);
  }

  delete(id: string): void {
    this.#webhooks = this.#webhooks.filter((webhook) => webhook.id !== id);
  }
}

/** A webhook that is enabled, signed, and posts all that Todoke takes. */
export function readyWebhook(url: string, privateKey: KeyObject): EventWebhook {
  const events = { processed: true, deferred: true, delivered: true, bounce: true, dropped: true, spam_report: true };
  const settings = webhookSettings.parse({ enabled: true, url, friendly_name: 'Todoke', ...events });
  return { id: randomUUID(), settings, privateKey, signed: true };
}

/** Base64 of SPKI DER, as SendGrid shows it. */
export function publicKeyOf({ privateKey }: EventWebhook): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
}

const setting = webhookSettings.keyof();

/** Whether a webhook wants an event: settings and events name complaints differently. */
export function wants({ settings }: EventWebhook, event: unknown): boolean {
  const name = setting.safeParse(event === 'spamreport' ? 'spam_report' : event);
  return name.success && settings[name.data] === true;
}
