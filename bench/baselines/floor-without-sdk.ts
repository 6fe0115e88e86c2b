/**
 * The floor with the SDK taken away, too: bodies of requests that were written before, signed (AWS Signature Version 4)
 * and posted over connections that are kept; of the answers only the status is looked at.
 */
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { APIGatewayProxyEvent } from 'aws-lambda';

const { SENDGRID_PUBLIC_KEY = '', FLOOR_REQUESTS = '', AWS_ENDPOINT_URL_DYNAMODB = '', AWS_REGION = '' } = process.env;
const { hostname, port, host } = new URL(AWS_ENDPOINT_URL_DYNAMODB);
const key = createPublicKey({ key: Buffer.from(SENDGRID_PUBLIC_KEY, 'base64'), format: 'der', type: 'spki' });
const CONCURRENCY = 16;
const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
const { gets, puts }: { gets: unknown[]; puts: unknown[] } = JSON.parse(readFileSync(FLOOR_REQUESTS, 'utf8'));
const bodies = {
  BatchGetItem: gets.map((input) => Buffer.from(JSON.stringify(input))),
  BatchWriteItem: puts.map((input) => Buffer.from(JSON.stringify(input))),
};

export async function handler(event: Pick<APIGatewayProxyEvent, 'body' | 'headers'>) {
  const body = Buffer.from(event.body ?? '', 'base64');
  const signed = Buffer.concat([Buffer.from(event.headers['X-Twilio-Email-Event-Webhook-Timestamp'] ?? ''), body]);
  const signature = Buffer.from(event.headers['X-Twilio-Email-Event-Webhook-Signature'] ?? '', 'base64');
  if (!verify('sha256', signed, key, signature)) return { statusCode: 401 };
  const events: unknown[] = JSON.parse(body.toString());
  for (const action of ['BatchGetItem', 'BatchWriteItem'] as const) {
    const waiting = bodies[action].values();
    await Promise.all(
      Array.from({ length: CONCURRENCY }, async () => {
        for (const bytes of waiting) await post(action, bytes);
      }),
    );
  }
  return { statusCode: 200, events: events.length };
}

const hmac = (secret: string | Buffer, text: string) => createHmac('sha256', secret).update(text).digest();
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const day = new Date().toISOString().slice(0, 10).replaceAll('-', '');
const scope = `${day}/${AWS_REGION}/dynamodb/aws4_request`;
const signingKey = hmac(hmac(hmac(hmac('AWS4bench', day), AWS_REGION), 'dynamodb'), 'aws4_request');

function post(action: string, bytes: Buffer): Promise<void> {
  const date = `${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`;
  const target = `DynamoDB_20120810.${action}`;
  const names = 'content-type;host;x-amz-date;x-amz-target';
  const canonical = `POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:${host}\nx-amz-date:${date}\nx-amz-target:${target}\n\n${names}\n${sha256(bytes)}`;
  const signature = hmac(signingKey, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`).toString('hex');
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': bytes.length,
    'x-amz-date': date,
    'x-amz-target': target,
    authorization: `AWS4-HMAC-SHA256 Credential=bench/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
  return new Promise((resolve, reject) => {
    request({ hostname, port, method: 'POST', path: '/', agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () =>
        answer.statusCode === 200
          ? resolve()
          : reject(new Error(`Cannot ${action}: it was answered ${answer.statusCode}`)),
      );
    })
      .on('error', reject)
      .end(bytes);
  });
}
