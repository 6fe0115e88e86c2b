/** A receiver of webhook posts, for tests. */
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listen } from '../../../local/ports.ts';

/** A post as it arrived. */
export interface ReceivedPost {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A webhook that records what it receives. */
export interface Receiver {
  readonly url: string;
  readonly posts: readonly ReceivedPost[];
  /** Answers the next requests with these statuses in turn, and later ones with 200. */
  answerNext(...statuses: number[]): void;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const posts: ReceivedPost[] = [];
  const statuses: number[] = [];
  const server = http.createServer(async (request, response) => {
    posts.push({ headers: request.headers, body: await buffer(request) });
    // Redirects to itself, so that the test can see whether a client follows.
    response.writeHead(statuses.shift() ?? 200, { Location: '/' }).end();
  });
  const port = await listen(server, 0, 'the receiver of the tests');
  return {
    url: `http://127.0.0.1:${port}/hook`,
    posts,
    answerNext: (...next) => statuses.push(...next),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
