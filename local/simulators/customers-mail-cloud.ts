/** The simulator of Customers Mail Cloud. */
import { once } from 'node:events';
import * as z from 'zod';
import { listen } from '../ports.ts';
import { type CustomersMailCloudEvent, eventsOf } from './customers-mail-cloud/events.ts';
import { type SubmissionServerOptions, submissionServer } from './customers-mail-cloud/smtp.ts';
import { eventPost, splitByType } from './customers-mail-cloud/webhook.ts';
import { Outbox, type Pending, pendingSchema } from './outbox.ts';
import { postToWebhook } from './webhook-post.ts';

/** What {@link startCustomersMailCloudSimulator} needs. */
export interface CustomersMailCloudSimulatorOptions
  extends Pick<SubmissionServerOptions, 'certificate' | 'credentials'> {
  /** 0 for a free one. */
  readonly port: number;
  /** Where events are posted. Undefined: they are posted nowhere. */
  readonly webhookUrl: string | undefined;
  /** The `api_key` of the posts, asked before each; empty for none. */
  readonly apiKey: () => string | Promise<string>;
  /** Between two events of a recipient. */
  readonly delayMs: number;
  /** `form`, the default, or `json`. */
  readonly format?: 'form' | 'json';
  /** The account's name for its servers, `sandbox` unless given. */
  readonly serverComposition?: string;
  /** The account's, an IANA name; `Asia/Tokyo` unless given. */
  readonly timeZone?: string;
  /** Stores the pending events whenever they change, so that a simulator that is killed loses no event. */
  readonly keep?: (pending: readonly Pending<CustomersMailCloudEvent>[]) => void;
  /** Gets a line for a person to read when the webhook did not accept a post. */
  readonly report?: (line: string) => void;
}

/** An SMTP server with the webhook of Customers Mail Cloud, on this machine. */
export interface CustomersMailCloudSimulator {
  /** On 127.0.0.1. */
  readonly port: number;
  /** The events that wait to be posted; after `close()`, what to start the next simulator with. */
  pending(): readonly Pending<CustomersMailCloudEvent>[];
  /** Adds the pending events of another simulator; overdue ones are posted at once. */
  restore(pending: readonly Pending<CustomersMailCloudEvent>[]): void;
  /** How many events the webhook did not accept. */
  lost(): number;
  /** Resolves once no event is pending. */
  idle(): Promise<void>;
  /** Stops at once. */
  close(): Promise<void>;
}

/** Reads {@link CustomersMailCloudSimulator.pending} back from JSON. */
export const customersMailCloudPendingSchema = z.array(
  pendingSchema(z.object({ type: z.enum(['deliveries', 'bounces']), entry: z.record(z.string(), z.string()) })),
);

/**
 * Starts a server that accepts mail as Customers Mail Cloud does, delivers none of it, and posts the events of an outcome
 * (see simulated-outcome.ts). A post that is not answered with 2xx is lost: whether the real one repeats it is not
 * documented.
 *
 * @throws Error if the port cannot be used
 */
export async function startCustomersMailCloudSimulator(
  options: CustomersMailCloudSimulatorOptions,
): Promise<CustomersMailCloudSimulator> {
  const {
    webhookUrl,
    apiKey,
    delayMs,
    format = 'form',
    serverComposition = 'sandbox',
    timeZone = 'Asia/Tokyo',
  } = options;
  const outbox = new Outbox<CustomersMailCloudEvent>({
    split: splitByType,
    post: async (events, signal) => {
      if (webhookUrl === undefined) return undefined;
      const post = eventPost(events, { apiKey: await apiKey(), serverComposition }, format);
      return postToWebhook(webhookUrl, post, signal);
    },
    retryAfterMs: () => undefined,
    report: (line) => options.report?.(`Customers Mail Cloud simulator: ${line}`),
    keep: options.keep,
  });
  const smtp = submissionServer({
    certificate: options.certificate,
    credentials: options.credentials,
    accept: (mail) => outbox.add(eventsOf(mail, Date.now(), delayMs, timeZone)),
  });
  const port = await listen(smtp.server, options.port, "Customers Mail Cloud's simulator");
  return {
    port,
    pending: () => outbox.pending,
    restore: (pending) => outbox.restore(pending),
    lost: () => outbox.lost,
    idle: () => outbox.idle(),
    close: async () => {
      await Promise.all([once(smtp.server, 'close'), smtp.close(), outbox.close()]);
    },
  };
}
