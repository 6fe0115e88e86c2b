import { type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as z from 'zod';
import { LOOPBACK, listenOnLoopback } from './loopback.ts';
import { Outbox, type Pending, pendingSchema } from './outbox.ts';
import { mailSendServer } from './sendgrid/api.ts';
import { eventsOf, type SendGridEvent } from './sendgrid/events.ts';
import { signedPost, splitBySize } from './sendgrid/webhook.ts';
import { postToWebhook } from './webhook-post.ts';

/** What {@link startSendGridSimulator} needs. */
export interface SendGridSimulatorOptions {
  /** 0 for a free one. */
  readonly port: number;
  /** The API key that is accepted; a function is asked at each request. */
  readonly apiKey: string | (() => string | Promise<string>);
  /** Signs the posts; on the curve P-256. */
  readonly privateKey: KeyObject;
  /** Where events are posted: asked before each post, so it may become known later than the simulator starts. */
  readonly webhookUrl: () => string;
  /** Between two events of a recipient. */
  readonly delayMs: number;
  /** Before a refused post is repeated, 1 s by default; each further wait is twice as long, up to a minute. */
  readonly firstRetryMs?: number;
  /** Keeps what is pending whenever it changes, so that a simulator that is killed loses nothing that it took. */
  readonly keep?: (pending: readonly Pending<SendGridEvent>[]) => void;
  /** Takes a line for a person to read when the webhook did not take a post. */
  readonly report?: (line: string) => void;
}

/** A Mail Send API with its Event Webhook, on this machine. */
export interface SendGridSimulator {
  /** The base URL for SendGrid's client, without a slash at its end. */
  readonly url: string;
  /** The events that wait to be posted or to be posted again; after `close()`, what to start the next one with. */
  pending(): readonly Pending<SendGridEvent>[];
  /** Adds what another simulator left over; what is overdue is posted at once. */
  restore(pending: readonly Pending<SendGridEvent>[]): void;
  /** Resolves once no event is pending. */
  idle(): Promise<void>;
  /** Stops at once. */
  close(): Promise<void>;
}

/** Reads {@link SendGridSimulator.pending} back from JSON. */
export const sendGridPendingSchema = z.array(pendingSchema(z.record(z.string(), z.unknown())));

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/**
 * Starts a server that takes mail as SendGrid's Mail Send API does, delivers none of it, and posts signed events about
 * what became of it (fates.ts says what does). A post that is not answered with 2xx is repeated for 24 hours.
 *
 * @throws Error where the port cannot be had
 */
export async function startSendGridSimulator(options: SendGridSimulatorOptions): Promise<SendGridSimulator> {
  const { apiKey, privateKey, webhookUrl, delayMs, firstRetryMs = FIRST_RETRY_MS } = options;
  const outbox = new Outbox<SendGridEvent>({
    split: splitBySize,
    post: async (events, signal) => postToWebhook(webhookUrl(), signedPost(events, privateKey, Date.now()), signal),
    retryAfterMs: ({ attempts, since }, now) =>
      now - since < GIVE_UP_AFTER_MS ? Math.min(firstRetryMs * 2 ** (attempts - 1), MAX_RETRY_MS) : undefined,
    report: (line) => options.report?.(`SendGrid simulator: ${line}`),
    keep: options.keep,
  });
  const server = mailSendServer({
    apiKey: async () => (typeof apiKey === 'string' ? apiKey : apiKey()),
    accept: (mail) => {
      const messageId = randomBytes(16).toString('base64url');
      outbox.add(eventsOf(mail, messageId, Date.now(), delayMs));
      return messageId;
    },
  });
  const port = await listenOnLoopback(server, options.port);
  return {
    url: `http://${LOOPBACK}:${port}`,
    pending: () => outbox.pending,
    restore: (pending) => outbox.restore(pending),
    idle: () => outbox.idle(),
    close: async () => {
      await Promise.all([once(server.close(), 'close'), server.closeAllConnections(), outbox.close()]);
    },
  };
}
