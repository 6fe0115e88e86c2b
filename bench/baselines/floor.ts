/**
 * The least that any program could do for the same post: check the signature, `JSON.parse`, and as few requests as there
 * can be, with items that were made before. Nothing is validated, and what was parsed is not used.
 */
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  BatchWriteItemCommand,
  type BatchWriteItemCommandInput,
  DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { APIGatewayProxyEvent } from 'aws-lambda';

const client = new DynamoDBClient({});
const { SENDGRID_PUBLIC_KEY = '', FLOOR_REQUESTS = '' } = process.env;
const key = createPublicKey({ key: Buffer.from(SENDGRID_PUBLIC_KEY, 'base64'), format: 'der', type: 'spki' });
/** What the receiver asked for when it was given the same post. */
const requests: { readonly gets: BatchGetItemCommandInput[]; readonly puts: BatchWriteItemCommandInput[] } = JSON.parse(
  readFileSync(FLOOR_REQUESTS, 'utf8'),
);
/** As many as the receiver has under way. */
const CONCURRENCY = 16;

export async function handler(event: Pick<APIGatewayProxyEvent, 'body' | 'headers'>) {
  const body = Buffer.from(event.body ?? '', 'base64');
  const signed = Buffer.concat([Buffer.from(event.headers['X-Twilio-Email-Event-Webhook-Timestamp'] ?? ''), body]);
  const signature = Buffer.from(event.headers['X-Twilio-Email-Event-Webhook-Signature'] ?? '', 'base64');
  if (!verify('sha256', signed, key, signature)) return { statusCode: 401 };
  const events: unknown[] = JSON.parse(body.toString());
  await forEach(requests.gets, (input) => client.send(new BatchGetItemCommand(input)));
  await forEach(requests.puts, (input) => client.send(new BatchWriteItemCommand(input)));
  return { statusCode: 200, events: events.length };
}

async function forEach<Input>(inputs: readonly Input[], work: (input: Input) => Promise<unknown>): Promise<void> {
  const waiting = inputs.values();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (const input of waiting) await work(input);
    }),
  );
}
