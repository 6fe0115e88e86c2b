/** Functions that make the calls to the server. */
import type * as z from 'zod/mini';
import { type Asked, CALLS, type CallName, CONSOLE_HEADER } from '../shared/api.ts';
import type { Say } from './settings.tsx';
import { tokenHeader, tokenIsRefused } from './token.ts';

/** A call that failed. The page says why in its own words. */
class CallError extends Error {
  readonly inWords: (say: Say) => string;

  constructor(inWords: (say: Say) => string, options?: ErrorOptions) {
    super('The call failed', options);
    this.inWords = inWords;
  }
}

async function ask<Asks, Answers>(
  name: CallName,
  { response }: { readonly request: z.ZodMiniType<Asks>; readonly response: z.ZodMiniType<Answers> },
  asked: Asks,
  signal?: AbortSignal,
): Promise<Answers> {
  const answer = await fetch(`/api/${name}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', [CONSOLE_HEADER]: '1', ...tokenHeader() },
    body: JSON.stringify(asked),
    ...(signal && { signal }),
  }).catch((cause: unknown) => {
    if (signal?.aborted) throw cause;
    throw new CallError((say) => say('errorOffline'), { cause });
  });
  const { status } = answer;
  const body: unknown = await answer.json().catch(() => undefined);
  const read = answer.ok ? response.safeParse(body) : undefined;
  if (read?.success) return read.data;
  if (status === 401) tokenIsRefused();
  const detail = typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : '';
  // The server's own message is only in English.
  if (name === 'session' && status === 403) throw new CallError((say) => say('notOnList'));
  throw new CallError((say) =>
    answer.ok ? say('errorUnreadable') : say(status === 403 ? 'errorRefused' : 'errorServer', { status, detail }),
  );
}

/** The calls to the server. For the errors that they throw, see `messageOf`. */
export const server = {
  session: () => ask('session', CALLS.session, {}),
  mails: (asked: Asked<'mails'>) => ask('mails', CALLS.mails, asked),
  unsent: (asked: Asked<'unsent'>) => ask('unsent', CALLS.unsent, asked),
  recipient: (asked: Asked<'recipient'>, signal?: AbortSignal) => ask('recipient', CALLS.recipient, asked, signal),
  decide: (asked: Asked<'decide'>) => ask('decide', CALLS.decide, asked),
  search: (asked: Asked<'search'>) => ask('search', CALLS.search, asked),
  story: (asked: Asked<'story'>, signal: AbortSignal) => ask('story', CALLS.story, asked, signal),
  bounces: (asked: Asked<'bounces'>) => ask('bounces', CALLS.bounces, asked),
  overview: (asked: Asked<'overview'>, signal: AbortSignal) => ask('overview', CALLS.overview, asked, signal),
  send: (asked: Asked<'send'>) => ask('send', CALLS.send, asked),
  forget: (asked: Asked<'forget'>) => ask('forget', CALLS.forget, asked),
  resend: (asked: Asked<'resend'>) => ask('resend', CALLS.resend, asked),
  samples: () => ask('samples', CALLS.samples, {}),
  post: (asked: Asked<'post'>) => ask('post', CALLS.post, asked),
  published: (asked: Asked<'published'>, signal: AbortSignal) => ask('published', CALLS.published, asked, signal),
  rowsOf: (asked: Asked<'rowsOf'>) => ask('rowsOf', CALLS.rowsOf, asked),
};

/** The message of a thrown value, in the language of the page. */
export function messageOf(error: unknown, say: Say): string {
  if (error instanceof CallError) return error.inWords(say);
  return error instanceof Error ? error.message : String(error);
}
