/** A proxy in front of the database engine. It can make any request fail in the ways in which DynamoDB requests fail. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request to DynamoDB on its way through the proxy. */
export interface StorageCall {
  /** Counts from 1, over all callers. */
  readonly number: number;
  /** For example, `BatchWriteItem`. */
  readonly action: string;
  /** The access key id. In local mode it is the logical id of the calling function. */
  readonly caller: string;
  /** The SDK's id of the command. Retries of a command have the same id. */
  readonly invocation: string;
  readonly body: Record<string, unknown>;
}

/**
 * What happens to a call. `lost answer`: the call takes effect, but the caller gets no answer. `refused item`: the whole
 * request is refused because of one of its items. `unprocessed`: half of a batch is done, and the rest is returned.
 * `stale read`: a read that is not consistent finds nothing.
 */
export const FAULTS = [
  'throttle',
  'error 500',
  'hang',
  'reset',
  'lost answer',
  'refused item',
  'unprocessed',
  'stale read',
] as const;
/** `late write`: the caller gives up on the write. The write takes effect when the test calls what `proxy.whenLate` got. */
export type Fault = (typeof FAULTS)[number] | 'late write';

/** Chooses, at once or later, the fault for each call. With undefined, or a fault that does not apply, the call succeeds. */
export type Plan = (call: StorageCall) => Fault | undefined | Promise<Fault | undefined>;
/** Returns a new body for a call, or undefined to keep its body. */
export type Rewrite = (call: StorageCall) => Record<string, unknown> | undefined;

export interface FaultProxy {
  readonly endpoint: string;
  /** Applies from the next call on. */
  plan: Plan;
  rewrite: Rewrite;
  /** Called when a call whose answer gets lost has taken effect, before the caller's connection is closed. */
  whenLost: (call: StorageCall) => void | Promise<void>;
  /** Called with each late write. */
  whenLate: (takeEffect: () => Promise<unknown>) => void;
  /** Every call since the start, or since the last `calls.length = 0`. */
  readonly calls: StorageCall[];
  /** The number of calls, and the number of injected faults. */
  readonly requests: () => number;
  readonly injected: () => number;
  /** Resolves when no call is in progress. A call that its caller gave up has then taken effect, or never will. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  /**
   * Whether the items of a BatchWriteItem take effect together or one by one, as DynamoDB allows: a batch is no
   * transaction. If one by one, the plan is asked before each item. `backwards` starts with the last item.
   */
  readonly batches?: 'at once' | 'item by item' | 'backwards';
  /** Throws an error with IAM's message if the caller is not allowed to do this. */
  readonly authorize?: (call: StorageCall) => Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

type Batch = Record<string, unknown[] | { Keys: unknown[]; ConsistentRead?: boolean }>;

export async function startFaultProxy(engineEndpoint: string, options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const engine = new URL(engineEndpoint);
  const calls: StorageCall[] = [];
  const { batches = 'at once' } = options;
  let count = 0;
  let injected = 0;
  const underWay = new Set<Promise<void>>();

  const server = createServer((incoming, outgoing) => {
    // If the engine or the caller has gone, there is no one to answer.
    const handled = handle(incoming, outgoing).catch(() => void incoming.socket.destroy());
    underWay.add(handled);
    handled.then(() => underWay.delete(handled));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    plan: () => undefined,
    rewrite: () => undefined,
    whenLost: () => undefined,
    whenLate: () => undefined,
    calls,
    requests: () => count,
    injected: () => injected,
    async settled() {
      // A call that its caller gave up may still have to be read from the connection.
      await new Promise(setImmediate);
      while (underWay.size > 0) await Promise.all(underWay);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const bytes = await readAll(incoming);
    const call = readCall(incoming, bytes, ++count);
    // DynamoDB Local does this since version 2.
    if (!/^[A-Za-z0-9]+$/.test(call.caller)) {
      return reply(
        outgoing,
        refusal(400, 'UnrecognizedClientException', 'The Access Key ID or security token is invalid.'),
      );
    }
    calls.push(call);
    const denial = await options.authorize?.(call).then(() => undefined, messageOf);
    if (denial !== undefined) return reply(outgoing, refusal(400, 'AccessDeniedException', denial));
    const body = proxy.rewrite(call) ?? call.body;
    for (const part of parts(call.action, body)) {
      const planned = await proxy.plan({ ...call, body: part });
      const fault = canHappen(planned, call.action, part) ? planned : undefined;
      if (fault !== undefined) injected++;
      // The caller gave up while the call waited.
      if (incoming.socket.destroyed) return;
      // Forwards the original bytes if nothing was changed: to serialize them again takes longer than everything else here.
      const answer = await outcome(incoming, call, part, fault, part === call.body ? bytes : undefined);
      if (answer === 'none') return;
      if (answer === 'cut off') return void incoming.socket.destroy();
      if (part !== body && answer.status === 200) continue;
      return reply(outgoing, answer);
    }
    reply(outgoing, jsonAnswer(200, { UnprocessedItems: {} }));
  }

  function parts(action: string, body: Record<string, unknown>): Record<string, unknown>[] {
    if (action !== 'BatchWriteItem' || batches === 'at once') return [body];
    const items = Object.entries(body['RequestItems'] as Batch).flatMap(([table, list]) =>
      Array.isArray(list) ? list.map((item) => ({ ...body, RequestItems: { [table]: [item] } })) : [],
    );
    return batches === 'backwards' ? items.reverse() : items;
  }

  async function outcome(
    incoming: IncomingMessage,
    call: StorageCall,
    body: Record<string, unknown>,
    fault: Fault | undefined,
    bytes: Buffer | undefined,
  ): Promise<Answer | 'none' | 'cut off'> {
    if (fault === undefined) return forward(incoming, body, bytes);
    switch (fault) {
      case 'hang':
        return 'none';
      case 'reset':
        return 'cut off';
      case 'lost answer':
        await forward(incoming, body);
        await proxy.whenLost(call);
        return 'cut off';
      case 'late write':
        proxy.whenLate(() => forward(incoming, body));
        return 'cut off';
      case 'throttle':
        return refusal(
          400,
          'ProvisionedThroughputExceededException',
          'The level of configured provisioned throughput was exceeded',
        );
      case 'error 500':
        return refusal(500, 'InternalServerError', 'The request could not be completed');
      case 'refused item':
        return refusal(400, 'ValidationException', 'One or more parameter values were invalid');
      case 'unprocessed':
        return forwardHalf(incoming, call.action, body);
      case 'stale read':
        return jsonAnswer(200, { Responses: {}, UnprocessedKeys: {} });
    }
  }

  function forward(
    incoming: IncomingMessage,
    body: Record<string, unknown>,
    bytes: Buffer = Buffer.from(JSON.stringify(body)),
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { ...incoming.headers, host: engine.host, 'content-length': String(bytes.length) };
      const onward = request(
        { host: engine.hostname, port: engine.port, method: 'POST', path: '/', headers },
        (answer) => {
          readAll(answer).then((answerBytes) => {
            const contentType = answer.headers['content-type'] ?? JSON_TYPE;
            const crc = answer.headers['x-amz-crc32'];
            resolve({
              status: answer.statusCode ?? 500,
              headers: { 'content-type': contentType, ...(typeof crc === 'string' && { 'x-amz-crc32': crc }) },
              body: answerBytes,
            });
          }, reject);
        },
      );
      onward.on('error', reject);
      onward.end(bytes);
    });
  }

  /** Does the first half of a batch, rounded down, and returns the rest, as DynamoDB does when it lacks capacity. */
  async function forwardHalf(
    incoming: IncomingMessage,
    action: string,
    body: Record<string, unknown>,
  ): Promise<Answer> {
    const now: Record<string, unknown> = {};
    const later: Record<string, unknown> = {};
    for (const [table, part] of Object.entries(body['RequestItems'] as Batch)) {
      const list = Array.isArray(part) ? part : part.Keys;
      const half = Math.floor(list.length / 2);
      const wrap = (some: unknown[]) => (Array.isArray(part) ? some : { ...part, Keys: some });
      if (half > 0) now[table] = wrap(list.slice(0, half));
      later[table] = wrap(list.slice(half));
    }
    const nothing = Object.keys(now).length === 0;
    const done = nothing ? '{}' : String((await forward(incoming, { ...body, RequestItems: now })).body);
    const rest = action === 'BatchWriteItem' ? 'UnprocessedItems' : 'UnprocessedKeys';
    return jsonAnswer(200, { ...JSON.parse(done), [rest]: later });
  }
}

/** Whether a fault refuses a good item that is alone in its request. DynamoDB never does that. */
export function refusesGoodItem(fault: Fault, action: string): boolean {
  return fault === 'refused item' && (action === 'PutItem' || action === 'UpdateItem');
}

function canHappen(fault: Fault | undefined, action: string, body: Record<string, unknown>): boolean {
  if (fault === 'unprocessed') return action.startsWith('Batch');
  if (fault !== 'stale read') return true;
  return (
    action === 'BatchGetItem' &&
    Object.values(body['RequestItems'] as Batch).every((part) => !('ConsistentRead' in part && part.ConsistentRead))
  );
}

function readCall(incoming: IncomingMessage, bytes: Buffer, number: number): StorageCall {
  return {
    number,
    action: String(incoming.headers['x-amz-target']).split('.')[1] ?? '',
    caller: /Credential=([^/]+)/.exec(incoming.headers.authorization ?? '')?.[1] ?? '',
    invocation: String(incoming.headers['amz-sdk-invocation-id']),
    body: JSON.parse(bytes.toString() || '{}'),
  };
}

function reply(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, headers).end(body);
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

const JSON_TYPE = 'application/x-amz-json-1.0';

function refusal(status: number, type: string, message: string): Answer {
  return jsonAnswer(status, { __type: `com.amazonaws.dynamodb.v20120810#${type}`, message });
}

function jsonAnswer(status: number, body: unknown): Answer {
  return { status, headers: { 'content-type': JSON_TYPE }, body: Buffer.from(JSON.stringify(body)) };
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
