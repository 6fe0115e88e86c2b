/** Ports on the loopback interface. */
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { isErrorWithCode, messageOf } from './files.ts';

/** All local servers listen on this address only, so that no other machine reaches them. */
export const LOOPBACK = '127.0.0.1';

/** Where an HTTP server on this port answers, such as `http://127.0.0.1:8787`. */
export const originOf = (port: number) => `http://${LOOPBACK}:${port}`;

/**
 * Lets a server (of node:http too) listen on the loopback interface.
 *
 * @param port 0 takes a free one
 * @param purpose what the port is for, as in "the webhooks"
 * @returns the port.
 * @throws Error that names port and purpose if the port is taken.
 */
export async function listen(server: Server, port: number, purpose: string): Promise<number> {
  server.listen(port, LOOPBACK);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new Error(`Cannot listen on ${LOOPBACK}:${port} for ${purpose}: ${whyNot(cause)}`, { cause });
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`Cannot listen for ${purpose}: no port`);
  return address.port;
}

/** Stops an HTTP server: it takes no more requests, and those that run get `graceMs` to be answered. */
export async function closeServer(server: HttpServer, graceMs = 0): Promise<void> {
  if (!server.listening) return;
  server.close();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await once(server, 'close');
  clearTimeout(timer);
}

function whyNot(error: unknown): string {
  const choose = 'choose another with --port, or any that is free with --port 0';
  if (isErrorWithCode(error, 'EADDRINUSE')) return `another program has the port; stop it, or ${choose}`;
  // Ports below 1024, and on Windows those that Hyper-V has reserved.
  if (isErrorWithCode(error, 'EACCES')) return `the system keeps this port for itself; ${choose}`;
  return messageOf(error);
}

/** Fails as `listen` would, and keeps nothing open. */
export async function assertPortFree(port: number, purpose: string): Promise<void> {
  await closed(port, purpose);
}

/** A port that was free a moment ago, for a program that cannot be asked for one. */
export function freePort(purpose: string): Promise<number> {
  return closed(0, purpose);
}

async function closed(port: number, purpose: string): Promise<number> {
  const server = createServer();
  const got = await listen(server, port, purpose);
  server.close();
  await once(server, 'close');
  return got;
}

/**
 * Local mode's ports, one after the other. All are checked to be free now, except that of the OpenID provider, which is only
 * used for the sign-in.
 *
 * @param port the first; with 0 all are 0, for free ones
 */
export async function choosePorts(port: number, embeddedEngine: boolean) {
  const at = (offset: number) => (port === 0 ? 0 : port + offset);
  const ports = { webhooks: at(0), dynamoDb: at(1), sendGrid: at(2), smtp: at(3), openId: at(4) };
  await assertPortFree(ports.webhooks, 'the webhooks');
  if (embeddedEngine) await assertPortFree(ports.dynamoDb, 'DynamoDB');
  await assertPortFree(ports.sendGrid, "SendGrid's simulator");
  await assertPortFree(ports.smtp, "Customers Mail Cloud's simulator");
  return ports;
}
