/** The simulator of SendGrid. */
import { type KeyObject, randomBytes } from 'node:crypto';
import * as z from 'zod';
import { closeServer, listen, originOf } from '../ports.ts';
import { Outbox, type Pending, pendingSchema } from './outbox.ts';
import { sendGridServer } from './sendgrid/api.ts';
import { type EventWebhook, EventWebhooks, readyWebhook, wants } from './sendgrid/event-webhooks.ts';
import { eventsOf, type SendGridEvent } from './sendgrid/events.ts';
import { sampleEvents } from './sendgrid/samples.ts';
import { eventPost, splitBySize } from './sendgrid/webhook.ts';
import { answerWebhookCall } from './sendgrid/webhook-api.ts';
import { type SimulatedOutcome, simulatedOutcome } from './simulated-outcome.ts';
import { postToWebhook } from './webhook-post.ts';

/** What {@link startSendGridSimulator} needs. */
export interface SendGridSimulatorOptions {
  /** 0 for a free one. */
  readonly port: number;
  /** The API key that is accepted; asked at each request. */
  readonly apiKey: () => string | Promise<string>;
  /** Signs the posts of the webhook that is there at the start; on the curve P-256. */
  readonly privateKey: KeyObject;
  /** Where the webhook that is there at the start posts its events. Undefined: there is none at the start. */
  readonly webhookUrl: string | undefined;
  /** Between two events of a recipient. */
  readonly delayMs: number;
  /** Before a refused post is repeated, 1 s by default; each further wait is twice as long, up to a minute. */
  readonly firstRetryMs?: number;
  /** Stores the pending events whenever they change, so that a simulator that is killed loses no event. */
  readonly keep?: (pending: readonly Pending<SendGridEvent>[]) => void;
  /** Gets a line for a person to read when the webhook did not accept a post. */
  readonly report?: (line: string) => void;
}

/** A Mail Send API with its Event Webhooks, and the API that sets them up, on this machine. */
export interface SendGridSimulator {
  /** The base URL for SendGrid's client, without a slash at its end. */
  readonly url: string;
  /** The events that wait to be posted or to be posted again; after `close()`, what to start the next one with. */
  pending(): readonly Pending<SendGridEvent>[];
  /** Adds the pending events of another simulator; overdue ones are posted at once. */
  restore(pending: readonly Pending<SendGridEvent>[]): void;
  /** Resolves once no event is pending. */
  idle(): Promise<void>;
  /** Stops at once. */
  close(): Promise<void>;
}

/** Reads {@link SendGridSimulator.pending} back from JSON. */
export const sendGridPendingSchema = z.array(pendingSchema(z.record(z.string(), z.unknown())));

/** The suppression list to which an outcome adds the address. */
const LISTS: Partial<Record<SimulatedOutcome, string>> = { bounce: 'bounces', complaint: 'spam_reports' };

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/**
 * Starts a server that accepts mail as SendGrid's Mail Send API does, delivers none of it, and posts the signed events of an
 * outcome (see simulated-outcome.ts). A post that is not answered with 2xx is repeated for 24 hours.
 *
 * @throws Error if the port cannot be used
 */
export async function startSendGridSimulator(options: SendGridSimulatorOptions): Promise<SendGridSimulator> {
  const { apiKey, privateKey, webhookUrl, delayMs, firstRetryMs = FIRST_RETRY_MS } = options;
  const webhooks = new EventWebhooks(webhookUrl === undefined ? undefined : readyWebhook(webhookUrl, privateKey));
  const closing = new AbortController();
  const report = (line: string) => options.report?.(`SendGrid simulator: ${line}`);
  const postAs = (
    webhook: EventWebhook | undefined,
    url: string,
    events: readonly SendGridEvent[],
    signal: AbortSignal,
  ) => postToWebhook(url, eventPost(events, webhook?.signed ? webhook.privateKey : undefined, Date.now()), signal);
  const outbox = new Outbox<SendGridEvent>({
    split: splitBySize,
    // After a refusal by one webhook, all of them get the post again. Receivers must expect duplicates.
    post: async (events, signal) => {
      for (const webhook of webhooks.list().filter(({ settings }) => settings.enabled)) {
        const wanted = events.filter(({ event }) => wants(webhook, event));
        const refusal = wanted.length > 0 ? await postAs(webhook, webhook.settings.url, wanted, signal) : undefined;
        if (refusal !== undefined) return refusal;
      }
      return undefined;
    },
    retryAfterMs: ({ attempts, since }, nowMs) =>
      nowMs - since < GIVE_UP_AFTER_MS ? Math.min(firstRetryMs * 2 ** (attempts - 1), MAX_RETRY_MS) : undefined,
    report,
    keep: options.keep,
  });
  const postTestEvents = async (url: string, webhook: EventWebhook | undefined) => {
    const events = sampleEvents(Date.now(), () => randomBytes(16).toString('base64'));
    const refusal = await postAs(webhook, url, events, closing.signal);
    if (refusal !== undefined) report(`test post: ${refusal}`);
  };
  // For each suppression list, its addresses and when each was added. Unlike SendGrid, the simulator still sends to them.
  const suppressed = new Map(
    ['bounces', 'spam_reports', 'invalid_emails'].map((list) => [list, new Map<string, number>()]),
  );
  const server = sendGridServer({
    apiKey,
    accept: (mail) => {
      const messageId = randomBytes(16).toString('base64url');
      for (const { email } of mail.recipients)
        suppressed.get(LISTS[simulatedOutcome(email)] ?? '')?.set(email, Date.now());
      outbox.add(eventsOf(mail, messageId, Date.now(), delayMs));
      return messageId;
    },
    suppressions: (list) =>
      Array.from(suppressed.get(list) ?? [], ([email, atMs]) => ({
        created: Math.floor(atMs / 1000),
        email,
        reason: '',
      })),
    webhooks: (request) => answerWebhookCall(request, webhooks, (url, webhook) => void postTestEvents(url, webhook)),
    report,
  });
  const port = await listen(server, options.port, "SendGrid's simulator");
  return {
    url: originOf(port),
    pending: () => outbox.pending,
    restore: (pending) => outbox.restore(pending),
    idle: () => outbox.idle(),
    close: async () => {
      closing.abort();
      await Promise.all([closeServer(server), outbox.close()]);
    },
  };
}
