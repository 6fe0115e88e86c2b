import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request to DynamoDB on its way through the proxy. */
export interface StorageCall {
  /** From 1, over all callers. */
  readonly number: number;
  /** Such as `BatchWriteItem`. */
  readonly action: string;
  /** The access key id: in local mode the logical id of the function that calls. */
  readonly caller: string;
  readonly body: Record<string, unknown>;
}

/**
 * What happens to a call instead of what it asks for. `lost answer`: it is done, and nobody hears of it. `refused item`:
 * the whole request is refused for one of its items. `unprocessed`: half of a batch is done, and the rest given back.
 */
export const FAULTS = ['throttle', 'error 500', 'hang', 'reset', 'lost answer', 'refused item', 'unprocessed'] as const;
export type Fault = (typeof FAULTS)[number];

/** Says what happens to each call; undefined lets it through. */
export type Plan = (call: StorageCall) => Fault | undefined;

export interface FaultProxy {
  readonly endpoint: string;
  /** From the next call on. */
  plan: Plan;
  /** Every call since the start or the last `calls.length = 0`. */
  readonly calls: StorageCall[];
  /** How many faults were injected. */
  readonly injected: () => number;
  close(): Promise<void>;
}

/** A proxy in front of a DynamoDB-compatible engine that can let any call fail in the ways in which DynamoDB's do. */
export async function startFaultProxy(engineEndpoint: string): Promise<FaultProxy> {
  const engine = new URL(engineEndpoint);
  const calls: StorageCall[] = [];
  let count = 0;
  let injected = 0;

  const server = createServer(async (incoming, outgoing) => {
    const bytes = await readAll(incoming);
    const call = readCall(incoming, bytes, ++count);
    calls.push(call);
    const fault = proxy.plan(call);
    if (fault === undefined) return pass(incoming, bytes, outgoing);
    injected++;
    switch (fault) {
      case 'hang':
        return;
      case 'reset':
        return void incoming.socket.destroy();
      case 'lost answer':
        await forward(incoming, bytes);
        return void incoming.socket.destroy();
      case 'throttle':
        return refuse(
          outgoing,
          400,
          'ProvisionedThroughputExceededException',
          'The level of configured provisioned throughput was exceeded',
        );
      case 'error 500':
        return refuse(outgoing, 500, 'InternalServerError', 'The request could not be completed');
      case 'refused item':
        return refuse(outgoing, 400, 'ValidationException', 'One or more parameter values were invalid');
      case 'unprocessed':
        return passHalf(incoming, call, outgoing);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    plan: () => undefined,
    calls,
    injected: () => injected,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return proxy;

  async function pass(incoming: IncomingMessage, bytes: Buffer, outgoing: ServerResponse): Promise<void> {
    const { status, headers, body } = await forward(incoming, bytes);
    outgoing.writeHead(status, headers).end(body);
  }

  function forward(
    incoming: IncomingMessage,
    bytes: Buffer,
  ): Promise<{ status: number; headers: Record<string, string>; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const headers = { ...incoming.headers, host: engine.host, 'content-length': String(bytes.length) };
      const onward = request(
        { host: engine.hostname, port: engine.port, method: 'POST', path: '/', headers },
        (answer) => {
          readAll(answer).then((body) => {
            const contentType = answer.headers['content-type'] ?? 'application/x-amz-json-1.0';
            const crc = answer.headers['x-amz-crc32'];
            resolve({
              status: answer.statusCode ?? 500,
              headers: { 'content-type': contentType, ...(typeof crc === 'string' && { 'x-amz-crc32': crc }) },
              body,
            });
          }, reject);
        },
      );
      onward.on('error', reject);
      onward.end(bytes);
    });
  }

  /** Does the first half of a batch, rounded down, and gives the rest back, as DynamoDB does when it is short of capacity. */
  async function passHalf(incoming: IncomingMessage, call: StorageCall, outgoing: ServerResponse): Promise<void> {
    const write = call.action === 'BatchWriteItem';
    const items = call.body['RequestItems'] as Record<string, unknown[] | { Keys: unknown[] }>;
    const now: Record<string, unknown> = {};
    const later: Record<string, unknown> = {};
    for (const [table, part] of Object.entries(items)) {
      const list = Array.isArray(part) ? part : part.Keys;
      const half = Math.floor(list.length / 2);
      const wrap = (some: unknown[]) => (Array.isArray(part) ? some : { ...part, Keys: some });
      if (half > 0) now[table] = wrap(list.slice(0, half));
      later[table] = wrap(list.slice(half));
    }
    const done =
      Object.keys(now).length === 0
        ? '{}'
        : String((await forward(incoming, Buffer.from(JSON.stringify({ ...call.body, RequestItems: now })))).body);
    const answer = { ...JSON.parse(done), [write ? 'UnprocessedItems' : 'UnprocessedKeys']: later };
    outgoing.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer));
  }
}

function readCall(incoming: IncomingMessage, bytes: Buffer, number: number): StorageCall {
  return {
    number,
    action: String(incoming.headers['x-amz-target']).split('.')[1] ?? '',
    caller: /Credential=([^/]+)/.exec(incoming.headers.authorization ?? '')?.[1] ?? '',
    body: JSON.parse(bytes.toString() || '{}'),
  };
}

function refuse(outgoing: ServerResponse, status: number, type: string, message: string): void {
  outgoing
    .writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
    .end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message }));
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
