/** The real receivers and the real recorder, in this process, with a rig's queue and tables. */
import { generateKeyPairSync } from 'node:crypto';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { LambdaFunctionURLEvent } from 'aws-lambda';
import type { Provider } from '../../lambda/mail/provider.ts';
import type { CustomersMailCloudEntry } from '../../lambda/providers/customers-mail-cloud/events.ts';
import {
  acceptCustomersMailCloud,
  type CustomersMailCloudCredentials,
} from '../../lambda/providers/customers-mail-cloud/webhook.ts';
import { acceptSendGrid } from '../../lambda/providers/sendgrid/webhook.ts';
import type { EventStore } from '../../lambda/recording/event-store.ts';
import { recordMessages } from '../../lambda/recording/record-messages.ts';
import { eventQueue } from '../../lambda/webhooks/event-queue.ts';
import { receiver } from '../../lambda/webhooks/receiver.ts';
import type { QueueMessage } from '../../local/event-sources/queue.ts';
import { signatureHeaders } from '../../local/simulators/sendgrid/webhook.ts';
import type { TestQueue } from './event-queue.ts';
import { RETENTION_DAYS, type Scenario, TIME_ZONE } from './posts.ts';

// The metrics in the log name the stack.
process.env['STACK_NAME'] ??= 'Todoke';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PUBLIC_KEY = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const CREDENTIALS: CustomersMailCloudCredentials = { apiKeys: ['key'], basic: [], bearerTokens: [] };
const SECRET = {
  sendgridPublicKeys: [PUBLIC_KEY],
  customersMailCloud: { apiKeys: ['key'], basic: [], bearerTokens: [] },
};

/** Small enough that a post needs several queue messages. */
const SMALL_MESSAGE_BYTES = 1_200;

interface PostOptions {
  readonly client: SQSClient;
  readonly receivedAtMs: number;
  readonly queueWithinMs: number;
}

/** Posts events to their receiver as the provider does. @returns the HTTP status */
export async function postTo(
  queue: TestQueue,
  { provider, received }: Pick<Scenario, 'provider' | 'received'>,
  { client, receivedAtMs, queueWithinMs }: PostOptions,
): Promise<number> {
  const handler = receiver({
    provider,
    accept: (request, secret) =>
      provider === 'sendgrid'
        ? acceptSendGrid(request, secret.sendgridPublicKeys)
        : acceptCustomersMailCloud(request, CREDENTIALS),
    readSecret: async () => SECRET,
    queue: eventQueue(queue.url, client, SMALL_MESSAGE_BYTES),
    queueWithinMs,
    now: () => receivedAtMs,
  });
  const answer = await handler(requestOf(provider, received), { awsRequestId: 'test' });
  return answer.statusCode;
}

function requestOf(provider: Provider, received: readonly unknown[]): LambdaFunctionURLEvent {
  const sendGrid = provider === 'sendgrid';
  const body = sendGrid ? JSON.stringify(received) : formOf(received);
  const headers = sendGrid
    ? { 'content-type': 'application/json', ...signatureHeaders(body, privateKey, 1_700_000_000_000) }
    : { 'content-type': 'application/x-www-form-urlencoded' };
  const event = { headers, body, isBase64Encoded: false, requestContext: { http: { method: 'POST' } } };
  // The receiver reads only these fields of the event.
  return event as unknown as LambdaFunctionURLEvent;
}

/** Entries of several event types in one form. `event` has one key per event type. */
function formOf(received: readonly unknown[]): string {
  const event: Record<string, unknown[]> = {};
  for (const { eventType, entry } of received as readonly CustomersMailCloudEntry[]) {
    event[eventType] ??= [];
    event[eventType].push(entry);
  }
  return new URLSearchParams({ api_key: 'key', event_type: 'deliveries', event: JSON.stringify(event) }).toString();
}

/** Invokes the recorder once with a batch of the queue. @returns how many messages it recorded */
export async function recordBatch(queue: TestQueue, store: EventStore, timeMs: number): Promise<number> {
  const messages = await queue.take();
  const failed = await invoke(messages, store, timeMs);
  const recorded = messages.flatMap(({ messageId }) => (failed.has(messageId) ? [] : [messageId]));
  await queue.delete(recorded);
  return recorded.length;
}

/** Delivers messages that were already recorded. @throws Error if one fails */
export async function recordAgain(messages: readonly QueueMessage[], store: EventStore): Promise<void> {
  const failed = await invoke(messages, store, 30_000);
  if (failed.size > 0) throw new Error(`Cannot record ${failed.size} messages again`);
}

async function invoke(messages: readonly QueueMessage[], store: EventStore, timeMs: number): Promise<Set<string>> {
  const { batchItemFailures } = await recordMessages(messages, {
    store,
    retentionDays: RETENTION_DAYS,
    timeZone: TIME_ZONE,
    endsAtMs: Date.now() + timeMs,
  });
  return new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
}
