/**
 * A receiver like those of sample functions: one look-up and one write per event, one after the other. Within that, it is
 * tuned: client and key are made once, connections are kept, and the SDK is bundled as in the receivers.
 */
import { createPublicKey, verify } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEvent } from 'aws-lambda';

const client = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const { SENT_LOG_TABLE, BOUNCE_TABLE, SENDGRID_PUBLIC_KEY = '' } = process.env;
const key = createPublicKey({ key: Buffer.from(SENDGRID_PUBLIC_KEY, 'base64'), format: 'der', type: 'spki' });

export async function handler(event: Pick<APIGatewayProxyEvent, 'body' | 'headers'>) {
  const body = Buffer.from(event.body ?? '', 'base64');
  const signed = Buffer.concat([Buffer.from(event.headers['X-Twilio-Email-Event-Webhook-Timestamp'] ?? ''), body]);
  const signature = Buffer.from(event.headers['X-Twilio-Email-Event-Webhook-Signature'] ?? '', 'base64');
  if (!verify('sha256', signed, key, signature)) return { statusCode: 401 };
  for (const { sg_message_id, sg_event_id, email, reason, ...details } of JSON.parse(body.toString())) {
    const [messageId] = sg_message_id.split('.');
    const { Item: mail } = await client.send(
      new GetCommand({ TableName: SENT_LOG_TABLE, Key: { messageId, entry: 'mail' } }),
    );
    await client.send(
      new PutCommand({
        TableName: BOUNCE_TABLE,
        Item: {
          fullMessageId: sg_message_id,
          eventId: sg_event_id,
          toEmail: email,
          fromEmail: mail?.['from'],
          subject: mail?.['subject'],
          occurredAt: new Date(details.timestamp * 1000).toISOString(),
          day: new Date(details.timestamp * 1000).toISOString().slice(0, 10),
          reason,
          details,
        },
      }),
    );
  }
  return { statusCode: 200 };
}
