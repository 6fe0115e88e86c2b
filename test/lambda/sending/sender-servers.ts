/** What send-mail calls besides its tables and SMTP: a mail API, Secrets Manager and SQS, on the loopback interface. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import * as z from 'zod';
import { md5OfBody } from '../../../local/event-sources/queue.ts';
import { listen } from '../../../local/ports.ts';

export interface HttpServer {
  readonly url: string;
  close(): void;
}

/** A request to SendGrid's Mail Send API. */
export interface SendRequest {
  /** The part of the path before `/v3`. */
  readonly base: string;
  /** The first recipient. */
  readonly to: string;
  readonly personalizations: z.infer<typeof mailSendBody>['personalizations'];
  readonly socket: IncomingMessage['socket'];
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

const addresses = z.array(z.object({ email: z.string() }).transform(({ email }) => email)).min(1);
const mailSendBody = z.object({
  personalizations: z.array(z.object({ to: addresses, cc: addresses.optional(), bcc: addresses.optional() })).min(1),
});

/** @param answer may break the connection instead */
export function startMailApi(answer: (request: SendRequest) => ApiAnswer | Promise<ApiAnswer>): Promise<HttpServer> {
  return serve(async (request, response) => {
    const { personalizations } = mailSendBody.parse(JSON.parse(await text(request)));
    const base = String(request.url).replace(/\/v3\/.*/, '');
    const { status, headers, body } = await answer({
      base,
      to: personalizations[0]?.to[0] ?? '',
      personalizations,
      socket: request.socket,
    });
    if (response.destroyed) return;
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body ?? '{}');
  });
}

/** A call of SQS's SendMessage. */
export interface QueuedBody {
  readonly body: string;
  /** The access key id. */
  readonly caller: string;
  readonly socket: IncomingMessage['socket'];
}

const sendMessageBody = z.object({ MessageBody: z.string() });

/**
 * Secrets Manager with one secret, and SQS with one queue.
 *
 * @param secretFor the secret for the caller with this access key id; undefined if Secrets Manager returns none
 * @param put returns whether the queue accepts a message; it may break the connection instead
 */
export function startAwsServer(
  secretFor: (caller: string) => unknown,
  put: (message: QueuedBody) => boolean | Promise<boolean> = () => false,
): Promise<HttpServer> {
  return serve(async (request, response) => {
    const caller = /Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const input = await text(request);
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
    };
    if (request.headers['x-amz-target'] !== 'AmazonSQS.SendMessage') {
      const secret = secretFor(caller);
      if (secret === undefined) answer(400, { __type: 'InternalServiceError', message: 'The tests give none' });
      else answer(200, { SecretString: JSON.stringify(secret) });
      return;
    }
    const { MessageBody: body } = sendMessageBody.parse(JSON.parse(input));
    const isTaken = await put({ body, caller, socket: request.socket });
    if (response.destroyed || request.socket.destroyed) return;
    if (!isTaken) answer(400, { __type: 'KmsAccessDenied', message: 'The tests refuse it' });
    else answer(200, { MessageId: randomUUID(), MD5OfMessageBody: md5OfBody(body) });
  });
}

async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<unknown> | unknown,
): Promise<HttpServer> {
  const server = createServer(async (request, response) => {
    try {
      await handle(request, response);
    } catch {
      // The caller has gone, or sent a request that no caller should send.
      request.socket.destroy();
    }
  });
  const port = await listen(server, 0, 'the server of the tests');
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

let sequence = 0;

/** The stream record of an item that was written at `writtenAtMs`, by default just now. */
export function recordOf(item: Readonly<Record<string, unknown>>, writtenAtMs = Date.now()): DynamoDBRecord {
  const number = String(++sequence);
  return {
    eventID: `event-${number}`,
    eventName: 'INSERT',
    dynamodb: {
      SequenceNumber: number,
      ApproximateCreationDateTime: Math.floor(writtenAtMs / 1000),
      NewImage: marshall(item) as NonNullable<NonNullable<DynamoDBRecord['dynamodb']>['NewImage']>,
    },
  };
}
