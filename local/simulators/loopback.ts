import type { Server } from 'node:net';

/** The only interface that a simulator listens on: nothing outside this machine may send through it. */
export const LOOPBACK = '127.0.0.1';

/**
 * Makes `server` listen on the loopback interface.
 *
 * @param port 0 for a free one
 * @returns the port that it listens on
 * @throws Error `Cannot listen on 127.0.0.1:587: …`, with `cause`
 */
export function listenOnLoopback(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(new Error(`Cannot listen on ${LOOPBACK}:${port}: ${cause.message}`, { cause }));
    server.once('error', fail);
    server.listen(port, LOOPBACK, () => {
      server.off('error', fail);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
