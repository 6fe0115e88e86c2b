/** The HTTP server of the webhooks. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { messageOf } from '../files.ts';
import { type HttpAnswer, type HttpRequest, jsonAnswer, readRequest, sendAnswer } from '../http.ts';
import { closeServer, listen, originOf } from '../ports.ts';

/** One web address of the stack, with all that is below it. */
export interface Route {
  /** @param path percent-encoded, as it was sent */
  serves(path: string): boolean;
  /** `handle` gets a longer body truncated, but still longer than this. */
  readonly maxBodyBytes: number;
  handle(request: HttpRequest): Promise<HttpAnswer>;
}

/** Serves requests that no route serves, such as those for the page. */
export type Fallback = (request: IncomingMessage, response: ServerResponse) => void;

/** The HTTP server in front of the functions. */
export interface Gateway {
  /** Such as `http://127.0.0.1:8787`. */
  readonly origin: string;
  readonly port: number;
  /** Starts to serve; until then every answer is 503. */
  serve(routes: readonly Route[], fallback?: Fallback): void;
  /** Takes no more requests, and gives those that run `graceMs` to be answered. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Takes the port at once, so that the addresses are known before the functions that need them.
 *
 * @param port 0 takes a free one
 */
export async function startGateway(port: number, report: (line: string) => void): Promise<Gateway> {
  let routes: readonly Route[] = [];
  let fallback: Fallback = refuse(503, 'Starting');

  const server = createServer((message, response) => {
    const route = routes.find(({ serves }) => serves(pathOf(message)));
    if (route === undefined) return fallback(message, response);
    answer(route, message, response).catch((error: unknown) => {
      // The client closed the connection while it sent.
      if (message.destroyed && !message.complete) return;
      report(`Cannot answer ${message.method} ${message.url}: ${messageOf(error)}`);
      if (!response.headersSent) sendAnswer(response, jsonAnswer(500, { message: 'Internal server error' }));
    });
  });
  const actualPort = await listen(server, port, 'the webhooks');

  return {
    origin: originOf(actualPort),
    port: actualPort,
    serve(newRoutes, newFallback = refuse(403, 'Missing Authentication Token')) {
      routes = newRoutes;
      fallback = newFallback;
    },
    stop: (graceMs) => closeServer(server, graceMs),
  };
}

async function answer(route: Route, message: IncomingMessage, response: ServerResponse): Promise<void> {
  sendAnswer(response, await route.handle(await readRequest(message, route.maxBodyBytes)));
}

/** API Gateway's own answers have this form. */
function refuse(status: number, message: string): Fallback {
  return (request, response) => {
    request.resume();
    sendAnswer(response, jsonAnswer(status, { message }));
  };
}

const pathOf = (message: IncomingMessage) => message.url?.split('?')[0] ?? '/';
