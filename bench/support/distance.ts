/** A network's delay. */
import { connect, createServer } from 'node:net';
import type { Cleanup } from '../../local/cleanup.ts';
import { listen, originOf } from '../../local/ports.ts';

/** DynamoDB answers in single-digit milliseconds. */
export const DISTANCE_MS = 5;

/** @returns an address from which everything reaches `endpoint` five milliseconds later */
export async function startDistance(endpoint: string, cleanup: Cleanup): Promise<string> {
  const { hostname, port } = new URL(endpoint);
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    // Timers of one length end in the order in which they started: no byte overtakes another.
    near.on('data', (bytes) => setTimeout(() => far.write(bytes), DISTANCE_MS));
    far.on('data', (bytes) => near.write(bytes));
  });
  cleanup.defer('close the distance', () => void server.close());
  return originOf(await listen(server, 0, 'the distance'));
}
