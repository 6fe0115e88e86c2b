/** The HTTP server of the console: its files and its calls. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type * as z from 'zod/mini';
import type { Tables } from '../../lambda/recipients/tables.ts';
import { type Answered, type Asked, CALLS, type CallName, type SamplePost } from '../shared/api.ts';
import { bounces } from './bounces.ts';
import { mails, story, unsent } from './mails.ts';
import { overview } from './overview.ts';
import { bundledPage, type PageFiles } from './page-files.ts';
import { decideOn, recipient, search } from './recipients.ts';
import { Refused, readCall, refuseStrangers, refuseWithoutToken, respond, respondWithError } from './requests.ts';
import { readSamples } from './samples.ts';
import { resendMail, sendMail } from './sending.ts';
import { rowsOf } from './tried.ts';

export interface ConsoleOptions {
  readonly mode: 'local' | 'deployed';
  readonly tables: Tables;
  /** Whether the page may put mails into the Mail table, send again what is there, and suppress or allow addresses. */
  readonly canSend: boolean;
  /** Without it nothing is answered but the empty page. Undefined: whoever is on this machine may ask. */
  readonly token?: string | undefined;
  /** Posts to a receiver, as its provider would: in local mode only. */
  readonly post?: ((post: SamplePost) => Promise<Answered<'post'>>) | undefined;
  /** What was put on the event bus for a Bounce row: in local mode only. */
  readonly published?: ((row: Asked<'published'>) => Promise<Answered<'published'>>) | undefined;
  /** Gets a line for whatever goes wrong. */
  readonly report: (line: string) => void;
}

/** By path. Each checks what it is asked. */
type Handlers = ReadonlyMap<string, (body: unknown) => Promise<unknown>>;

/** Serves the page and its calls. It is for this machine only: see `refuseStrangers`. */
export function createConsole(options: ConsoleOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const page = bundledPage();
  // Whoever asks for the page hears of it.
  page.catch(() => undefined);
  const calls = handlers(options);
  return (request, response) => {
    answer(request, response, page, { calls, token: options.token }).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      if (!(error instanceof Refused)) options.report(`Cannot answer the console's page: ${message}`);
      respondWithError(response, error instanceof Refused ? error.status : 500, message);
    });
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  page: Promise<PageFiles>,
  { calls, token }: { readonly calls: Handlers; readonly token: string | undefined },
): Promise<void> {
  refuseStrangers(request);
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const call = calls.get(path);
  if (call === undefined) {
    const file = (await page).get(path);
    if (file === undefined) throw new Refused(404, `Cannot show ${path}: there is no such page`);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new Refused(405, `Cannot answer ${path}: it can only be read, by GET`);
    respond(response, 200, file.type, request.method === 'HEAD' ? '' : file.body);
    return;
  }
  refuseWithoutToken(request, token);
  respond(response, 200, 'application/json', JSON.stringify(await call(await readCall(request))));
}

function handlers({ mode, tables, canSend, post, published }: ConsoleOptions): Handlers {
  const mayPost = () => {
    if (post === undefined) throw new Refused(403, 'Cannot post samples: only local mode can sign them');
    return post;
  };
  const maySend = () => {
    if (!canSend) throw new Refused(403, 'Cannot send: the console was started without --allow-send');
  };
  const { mail, sentLog, bounce } = tables;
  return new Map([
    on('session', CALLS.session, async () => ({
      mode,
      canSend,
      canTry: post !== undefined,
      tables: { mail, sentLog, bounce },
    })),
    on('mails', CALLS.mails, (asked) => mails(tables, asked)),
    on('unsent', CALLS.unsent, (asked) => unsent(tables, asked)),
    on('story', CALLS.story, (asked) => story(tables, asked)),
    on('bounces', CALLS.bounces, (asked) => bounces(tables, asked)),
    on('recipient', CALLS.recipient, (asked) => recipient(tables, asked)),
    on('search', CALLS.search, (asked) => search(tables, asked)),
    on('overview', CALLS.overview, (asked) => overview(tables, asked)),
    on('send', CALLS.send, async (asked) => {
      maySend();
      return sendMail(tables, asked);
    }),
    on('resend', CALLS.resend, async (asked) => {
      maySend();
      return resendMail(tables, asked);
    }),
    on('decide', CALLS.decide, async (asked) => {
      maySend();
      return decideOn(tables, asked);
    }),
    on('samples', CALLS.samples, async () => {
      mayPost();
      return { samples: await readSamples() };
    }),
    on('post', CALLS.post, async (asked) => mayPost()(asked)),
    on('published', CALLS.published, async (asked) => {
      if (published === undefined) throw new Refused(403, 'Cannot show events: only local mode keeps them');
      return published(asked);
    }),
    on('rowsOf', CALLS.rowsOf, async (asked) => {
      mayPost();
      return rowsOf(tables, asked);
    }),
  ]);
}

function on<Asks, Answers>(
  name: CallName,
  { request }: { readonly request: z.ZodMiniType<Asks>; readonly response: z.ZodMiniType<Answers> },
  run: (asked: Asks) => Promise<Answers>,
) {
  const handle = async (body: unknown): Promise<unknown> => {
    const asked = request.safeParse(body);
    if (asked.success) return run(asked.data);
    throw new Refused(400, `Cannot answer ${name}: ${asked.error.issues[0]?.message ?? 'it cannot be read'}`);
  };
  return [`/api/${name}`, handle] as const;
}
