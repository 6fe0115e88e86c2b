/** SendGrid's API, as far as setup and doctor need it. */
import * as z from 'zod';
import { SENDGRID_API_URLS } from '../../lib/settings.ts';
import { jsonOrUndefined } from '../../local/json.ts';
import { isLocal } from './aws.ts';
import type { StackOutputs } from './outputs.ts';

const TIMEOUT_MS = 15_000;

/** The events that Todoke takes, as the settings of an Event Webhook name them; all others are off. */
export const WEBHOOK_EVENTS = {
  processed: true,
  deferred: true,
  delivered: true,
  bounce: true,
  dropped: true,
  spam_report: true,
  open: false,
  click: false,
  unsubscribe: false,
  group_unsubscribe: false,
  group_resubscribe: false,
} as const;

const scopesSchema = z.object({ scopes: z.array(z.string()) });
const webhookSchema = z.looseObject({
  id: z.string(),
  url: z.string(),
  enabled: z.boolean().default(false),
  friendly_name: z.string().nullish(),
  public_key: z.string().default(''),
});
export type EventWebhook = z.infer<typeof webhookSchema>;
// For an account without a webhook, SendGrid lists one empty object.
const webhooksSchema = z.object({
  webhooks: z.array(z.union([webhookSchema, z.object({}).transform(() => undefined)])),
});
/** The lists of addresses to which SendGrid sends nothing, by their names in its API. */
export const SUPPRESSION_LISTS = ['bounces', 'spam_reports', 'invalid_emails'] as const;
export type SuppressionList = (typeof SUPPRESSION_LISTS)[number];
/** As many as a page may have ("Retrieve all bounces"). */
const SUPPRESSIONS_PER_PAGE = 500;
const suppressionsSchema = z.array(
  z.object({ email: z.string(), created: z.number(), reason: z.string().default('') }),
);

const signedSchema = z.object({ public_key: z.string() });
const errorsSchema = z.object({ errors: z.array(z.object({ message: z.string() })) });

/**
 * SendGrid's API with one key. No error message contains the key.
 *
 * @see https://www.twilio.com/docs/sendgrid/api-reference/webhooks
 */
export class SendGridApi {
  readonly #origin: string;
  readonly #key: string;

  /** @param outputs give the URL: that of the account's region, or of local mode's simulator */
  constructor(outputs: StackOutputs, key: string) {
    if (isLocal(outputs) && outputs.SendGridApiUrl === undefined) {
      throw new Error('Cannot use these outputs: they have no SendGridApiUrl. Start local mode again');
    }
    this.#origin = outputs.SendGridApiUrl ?? SENDGRID_API_URLS[outputs.SendGridRegion];
    this.#key = key;
  }

  /** What the key may do. */
  async scopes(): Promise<string[]> {
    return (await this.#call('GET', '/v3/scopes', scopesSchema)).scopes;
  }

  /** A suppression list, page by page. */
  async *suppressions(list: SuppressionList) {
    for (let offset = 0; ; offset += SUPPRESSIONS_PER_PAGE) {
      const path = `/v3/suppression/${list}?limit=${SUPPRESSIONS_PER_PAGE}&offset=${offset}`;
      const page = await this.#call('GET', path, suppressionsSchema);
      yield* page;
      if (page.length < SUPPRESSIONS_PER_PAGE) return;
    }
  }

  /** The webhooks that post to an address, whatever its query: the enabled ones first. */
  async webhooksTo(url: string): Promise<EventWebhook[]> {
    const { webhooks } = await this.#call('GET', `${SETTINGS}/all`, webhooksSchema);
    return webhooks
      .filter((webhook) => webhook !== undefined)
      .filter((webhook) => webhook.url.split('?', 1)[0] === url)
      .sort((a, b) => Number(b.enabled) - Number(a.enabled));
  }

  createWebhook(settings: object): Promise<EventWebhook> {
    return this.#call('POST', SETTINGS, webhookSchema, settings);
  }

  updateWebhook(id: string, settings: object): Promise<EventWebhook> {
    return this.#call('PATCH', `${SETTINGS}/${id}`, webhookSchema, settings);
  }

  /** Switches the signature on. @returns the public key, base64 of SPKI DER */
  async signWebhook(id: string): Promise<string> {
    return (await this.#call('PATCH', `${SETTINGS}/signed/${id}`, signedSchema, { enabled: true })).public_key;
  }

  /** Makes SendGrid post its samples to the webhook. They arrive some time later. */
  async testWebhook({ id, url }: EventWebhook): Promise<void> {
    await this.#call('POST', '/v3/user/webhooks/event/test', z.unknown(), { id, url });
  }

  async #call<Schema extends z.ZodType>(method: string, path: string, schema: Schema, body?: object) {
    const what = `${method} ${path}`;
    const response = await fetch(`${this.#origin}${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.#key}`, 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((cause: unknown) => {
      throw new Error(`Cannot ask SendGrid (${what}): it does not answer`, { cause });
    });
    const answer = jsonOrUndefined(await response.text());
    if (!response.ok) {
      const said =
        errorsSchema
          .safeParse(answer)
          .data?.errors.map(({ message }) => message)
          .join('; ') ?? '';
      throw new Error(`Cannot ask SendGrid (${what}): ${response.status} ${said || response.statusText}`.trim());
    }
    const read = schema.safeParse(answer);
    if (!read.success) throw new Error(`Cannot ask SendGrid (${what}): its answer does not have the documented shape`);
    return read.data;
  }
}

const SETTINGS = '/v3/user/webhooks/event/settings';

/** The scopes beyond sending. Those of the pattern do not count: they come with every key, or do nothing alone. */
export function moreThanSending(scopes: readonly string[]): string[] {
  return scopes.filter((scope) => !/^(?:mail\.send|sender_verification_\w+|2fa_\w+)$/.test(scope));
}
