/** Tells whether the process that wrote a lock still runs, without listing processes. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { LOOPBACK, listen } from './ports.ts';
import { exists } from './processes.ts';

const ANSWER_TIMEOUT_MS = 1_000;

/**
 * Who holds a lock: a process that answers at a port with a token. A process id alone is not enough: after a crash or a
 * reboot, another process may have the same id, or the same port.
 */
export const lockHolder = z.object({ pid: z.number().int().positive(), port: z.number().int(), token: z.uuid() });
export type LockHolder = z.infer<typeof lockHolder>;

/** Answers for this process, until it ends or `stop` is called. */
export async function startHolding(): Promise<{ holder: LockHolder; stop(): Promise<void> }> {
  const token = randomUUID();
  const server = createServer((socket) => socket.on('error', () => undefined).end(token));
  const port = await listen(server, 0, 'the lock');
  server.unref();
  return {
    holder: { pid: process.pid, port, token },
    async stop() {
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

/** Whether the process answers. One that takes the connection and is silent may be busy or stopped: it holds the lock. */
export async function isHeld({ pid, port, token }: LockHolder): Promise<boolean> {
  if (!exists(pid)) return false;
  const socket = connect({ host: LOOPBACK, port });
  let silent = false;
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
    silent = true;
    socket.destroy();
  });
  try {
    return (await text(socket)) === token;
  } catch {
    return silent;
  } finally {
    socket.destroy();
  }
}
