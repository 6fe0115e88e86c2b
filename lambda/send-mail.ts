/** Sends the items of the Mail table that have no status, and logs them. On the stream of the Mail table. */
import type { Context, DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import { documentClient } from './aws/dynamodb.ts';
import { environmentVariable } from './aws/environment.ts';
import { metricFields } from './aws/metric.ts';
import { cachedSecret, UnreadableSecret } from './aws/secrets.ts';
import { forEachRecord } from './aws/stream-record.ts';
import { ofEachProvider, providerOf } from './mail/provider.ts';
import { openSenders, type Senders, unavailableSenders } from './providers/senders.ts';
import { eventStore } from './recording/event-store.ts';
import type { Invocation } from './sending/invocation.ts';
import { mailTable } from './sending/mail-table.ts';
import { places } from './sending/places.ts';
import { sendItem } from './sending/send-item.ts';
import { senderSecretSchema } from './sending/sender-secret.ts';
import { sentLog } from './sending/sent-log.ts';

const senderSecret = cachedSecret(environmentVariable('SENDER_SECRET'), senderSecretSchema);
const sendGridApiUrl = environmentVariable('SENDGRID_API_URL');
const retentionDays = Number(environmentVariable('RETENTION_DAYS'));
const client = documentClient();
const mails = mailTable(client, environmentVariable('MAIL_TABLE'));
const sent = sentLog(eventStore(client), retentionDays);

export async function handler(event: DynamoDBStreamEvent, context: Context): Promise<DynamoDBBatchResponse> {
  const endsAtMs = Date.now() + context.getRemainingTimeInMillis();
  const senders = await senderSecret().then((secret) => openSenders(secret, sendGridApiUrl), sendersWithout);
  const invocation: Invocation = {
    mails,
    sent,
    retentionDays,
    senders,
    places: ofEachProvider((provider) => places(senders[provider].handoversAtOneTime)),
    endsAtMs,
  };
  try {
    // All at once: what waits to be tried again leaves its place to the next, so that in an outage every mail is tried.
    return await forEachRecord(
      event,
      event.Records.length,
      (record) => invocation.places[providerOf(record.row)]((pause) => sendItem(record, invocation, pause)),
      (record) => metricFields(providerOf(record.row), { Retried: 1 }),
    );
  } finally {
    for (const sender of Object.values(senders)) sender.close();
  }
}

/** Without the secret every mail says why it was not sent, and none holds up the others. */
function sendersWithout(error: unknown): Senders {
  if (!(error instanceof UnreadableSecret)) throw error;
  const kind = error.temporary ? 'temporary' : 'unauthorized';
  return unavailableSenders(kind, `Cannot send: the sender secret cannot be read: ${error.message}`);
}
