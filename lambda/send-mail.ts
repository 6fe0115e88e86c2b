/**
 * The function send-mail: sends the items of the Mail table that have no status, and logs them. Triggered by the
 * table's stream, and by RetryQueue.
 */
import type { Context, DynamoDBBatchResponse, DynamoDBStreamEvent, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { cachedSecret, UnreadableSecret } from './aws/cached-secret.ts';
import { documentClient } from './aws/dynamodb.ts';
import { environmentVariable } from './aws/environment.ts';
import { ofEachProvider } from './mail/provider.ts';
import { notSent } from './providers/sender.ts';
import { openSenders, type Senders, unavailableSenders } from './providers/senders.ts';
import { eventStore } from './recording/event-store.ts';
import { circuitBreaker } from './sending/circuit-breaker.ts';
import { mailTable } from './sending/mail-table.ts';
import { readBatch } from './sending/read-batch.ts';
import { retryQueue } from './sending/retry-queue.ts';
import { sendBatch } from './sending/send-batch.ts';
import { senderSecretSchema } from './sending/sender-secret.ts';
import { sentLog } from './sending/sent-log.ts';

const senderSecret = cachedSecret(environmentVariable('SENDER_SECRET'), senderSecretSchema);
const sendGridApiUrl = environmentVariable('SENDGRID_API_URL');
const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const client = documentClient();
const mails = mailTable(client, environmentVariable('MAIL_TABLE'));
const store = eventStore(client);
const sent = sentLog(store, retentionDays);
const suppressions = environmentVariable('SUPPRESSION') === 'on' ? { client, bounce: store.bounceTable } : undefined;
const retries = retryQueue(environmentVariable('RETRY_QUEUE_URL'));
const breakers = ofEachProvider(circuitBreaker);

export async function handler(
  event: DynamoDBStreamEvent | SQSEvent,
  context: Context,
): Promise<DynamoDBBatchResponse & SQSBatchResponse> {
  const endsAtMs = Date.now() + context.getRemainingTimeInMillis();
  const { deliveries, unreadable, isOfStream } = readBatch(event);
  const senders = await senderSecret().then((secret) => openSenders(secret, sendGridApiUrl), sendersWithout);
  try {
    const invocation = {
      mails,
      sent,
      retries,
      suppressions,
      retentionDays,
      senders,
      breakers: isOfStream ? breakers : undefined,
      endsAtMs,
    };
    const failed = await sendBatch(deliveries, invocation);
    return { batchItemFailures: [...unreadable, ...failed].map((itemIdentifier) => ({ itemIdentifier })) };
  } finally {
    for (const sender of Object.values(senders)) sender.close();
  }
}

/** Senders for the case that the secret cannot be read: every handover fails, and the item's `error` says why. */
function sendersWithout(error: unknown): Senders {
  if (!(error instanceof UnreadableSecret)) throw error;
  const kind = error.temporary ? 'deferred' : 'refused';
  const reason = `Cannot send: the sender secret cannot be read: ${error.message}`;
  return unavailableSenders(notSent(kind, 'account', reason));
}
