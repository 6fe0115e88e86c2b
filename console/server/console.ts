/** The console on this machine: an HTTP server for the files of the page and its calls. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Tables } from '../../lambda/recipients/tables.ts';
import { bundledPage } from '../page-files.ts';
import { type Answered, type Asked, CALLS, type Role, type SamplePost } from '../shared/api.ts';
import { callNamed, type Handlers, on, refuseWithoutRole, teamCalls } from './calls.ts';
import { Refused } from './refused.ts';
import { readCall, refuseStrangers, refuseWithoutToken, respond, respondWithError } from './requests.ts';
import { readSamples } from './samples.ts';
import { sendMail } from './sending.ts';
import { rowsOf } from './tried.ts';

export interface ConsoleOptions {
  readonly mode: 'local' | 'deployed';
  readonly tables: Tables;
  /** Whether the page may send mail, send items again, suppress or allow addresses, and erase the data of a person. */
  readonly canSend: boolean;
  /** Every call must have this token. Undefined: every user of this machine may make calls. */
  readonly token?: string | undefined;
  /** Posts to a receiver as its provider would. Only in local mode. */
  readonly post?: ((post: SamplePost) => Promise<Answered<'post'>>) | undefined;
  /** Reads the events that were put on the event bus for a Bounce row. Only in local mode. */
  readonly published?: ((row: Asked<'published'>) => Promise<Answered<'published'>>) | undefined;
  /** Gets a line for each error. */
  readonly report: (line: string) => void;
}

/** Serves the page and its calls. It is for this machine only: see `refuseStrangers`. */
export function createConsole(options: ConsoleOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const handlers = handlersOf(options);
  return (request, response) => {
    answer(request, response, { ...options, handlers }).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      if (!(error instanceof Refused)) options.report(`Cannot answer the console's page: ${message}`);
      respondWithError(response, error instanceof Refused ? error.status : 500, message);
    });
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { handlers, token, canSend }: ConsoleOptions & { readonly handlers: Handlers },
): Promise<void> {
  refuseStrangers(request);
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const name = callNamed(/^\/api\/(\w+)$/.exec(path)?.[1] ?? '');
  if (name === undefined) {
    const file = bundledPage().get(path);
    if (file === undefined) throw new Refused(404, `Cannot show ${path}: there is no such page`);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new Refused(405, `Cannot answer ${path}: it can only be read, by GET`);
    respond(response, 200, file.type, request.method === 'HEAD' ? '' : file.body);
    return;
  }
  refuseWithoutToken(request, token);
  const roles: readonly Role[] = canSend ? ['reader', 'operator', 'engineer'] : ['reader'];
  refuseWithoutRole(name, new Set(roles), 'the console was started without --allow-send');
  const handle = handlers.get(name);
  if (handle === undefined) throw new Refused(403, `Cannot answer ${name}: only local mode can sign posts`);
  respond(response, 200, 'application/json', JSON.stringify(await handle(await readCall(request))));
}

function handlersOf({ mode, tables, canSend, post, published }: ConsoleOptions): Handlers {
  const { mail, sentLog, bounce } = tables;
  const session = {
    mode,
    canSend,
    canOperate: canSend,
    canTry: post !== undefined,
    tables: { mail, sentLog, bounce },
  };
  return new Map([
    ...teamCalls(tables, () => session),
    on('send', CALLS.send, (asked) => sendMail(tables, asked)),
    ...(post
      ? [
          on('samples', CALLS.samples, async () => ({ samples: await readSamples() })),
          on('post', CALLS.post, post),
          on('rowsOf', CALLS.rowsOf, (asked) => rowsOf(tables, asked)),
        ]
      : []),
    ...(published ? [on('published', CALLS.published, published)] : []),
  ]);
}
