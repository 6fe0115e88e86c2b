/** A stand-in for Secrets Manager, SQS and DynamoDB. It finds a log row for every message id, and accepts every row. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { marshall } from '@aws-sdk/util-dynamodb';
import * as z from 'zod';
import type { Cleanup } from '../../local/cleanup.ts';
import { closeServer, listen, originOf } from '../../local/ports.ts';
import { logRow, WEBHOOK_SECRET } from './posts.ts';

/** A delay for the network and for DynamoDB, which answers in single-digit milliseconds. */
export const DISTANCE_MS = 5;

const SENDER_SECRET = {
  sendgridApiKey: 'SG.bench',
  customersMailCloudSmtp: { host: '', port: 587, user: '', password: '' },
};

/** A request to the stand-in. */
interface Call {
  /** Such as `BatchGetItem`. */
  readonly action: string;
  readonly input: unknown;
}

export interface StandIn {
  /** Answers at once. */
  readonly url: string;
  /** Answers {@link DISTANCE_MS} later. */
  readonly distantUrl: string;
  /** The items of the Mail table, by id. */
  readonly items: Map<string, object>;
  /** @returns the requests that are made during `work` */
  callsDuring(work: () => Promise<unknown>): Promise<Call[]>;
}

export async function startStandIn(cleanup: Cleanup): Promise<StandIn> {
  let calls: Call[] | undefined;
  const items = new Map<string, object>();
  const start = async (delayMs: number) => {
    const server = createServer(async (request, response) => {
      const input = JSON.parse(await text(request));
      const action = String(request.headers['x-amz-target']).split('.')[1] ?? '';
      calls?.push({ action, input });
      if (delayMs > 0) await sleep(delayMs);
      response.setHeader('content-type', 'application/x-amz-json-1.0');
      response.end(JSON.stringify(answer(action, input, items)));
    });
    cleanup.defer('stop the stand-in for AWS', () => closeServer(server));
    return originOf(await listen(server, 0, 'the stand-in for AWS'));
  };
  return {
    url: await start(0),
    distantUrl: await start(DISTANCE_MS),
    items,
    async callsDuring(work) {
      const made: Call[] = [];
      calls = made;
      await work();
      calls = undefined;
      return made;
    },
  };
}

const secretId = z.object({ SecretId: z.string() });
const messageBody = z.object({ MessageBody: z.string() });
const logKey = z.object({ messageId: z.object({ S: z.string() }) });
const oneKey = z.object({ Key: logKey });
const manyKeys = z.object({ RequestItems: z.record(z.string(), z.object({ Keys: z.array(z.unknown()) })) });
const mailKey = z.object({ Key: z.object({ id: z.object({ S: z.string() }) }) });

function answer(action: string, input: unknown, items: ReadonlyMap<string, object>): unknown {
  switch (action) {
    case 'GetSecretValue': {
      const secret = secretId.parse(input).SecretId === 'sender-secret' ? SENDER_SECRET : WEBHOOK_SECRET;
      return { SecretString: JSON.stringify(secret) };
    }
    case 'SendMessage':
      // The SDK compares the hash.
      return { MD5OfMessageBody: createHash('md5').update(messageBody.parse(input).MessageBody).digest('hex') };
    case 'GetItem': {
      const { data } = oneKey.safeParse(input);
      return data ? { Item: logged(data.Key) } : {};
    }
    case 'BatchGetItem': {
      const tables = Object.entries(manyKeys.parse(input).RequestItems);
      const found = (keys: readonly unknown[]) => keys.map((key) => logged(logKey.parse(key)));
      return { Responses: Object.fromEntries(tables.map(([table, { Keys }]) => [table, found(Keys)])) };
    }
    case 'UpdateItem':
      return { Attributes: marshall({ ...items.get(mailKey.parse(input).Key.id.S), attempts: 1 }) };
    default:
      return {};
  }
}

const logged = ({ messageId }: z.infer<typeof logKey>) => marshall(logRow(messageId.S, ['recipient-0@example.jp']));
