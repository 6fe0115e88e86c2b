/** The server's calls, as functions. */
import type * as z from 'zod/mini';
import { CALLS, CONSOLE_HEADER } from '../shared/api.ts';
import { tokenHeader, tokenIsRefused } from './token.ts';

async function ask<Asks, Answers>(
  name: keyof typeof CALLS,
  { response }: { readonly request: z.ZodMiniType<Asks>; readonly response: z.ZodMiniType<Answers> },
  asked: Asks,
  signal?: AbortSignal,
): Promise<Answers> {
  const answer = await fetch(`/api/${name}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', [CONSOLE_HEADER]: '1', ...tokenHeader() },
    body: JSON.stringify(asked),
    ...(signal && { signal }),
  });
  const body: unknown = await answer.json();
  if (answer.ok) return response.parse(body);
  if (answer.status === 401) tokenIsRefused();
  const isObject = typeof body === 'object' && body !== null && 'error' in body;
  throw new Error(isObject ? String(body.error) : `${answer.status}`);
}

type Ask<Name extends keyof typeof CALLS> = z.infer<(typeof CALLS)[Name]['request']>;

/** The server, call by call. @throws Error in the server's words */
export const server = {
  session: () => ask('session', CALLS.session, {}),
  mails: (asked: Ask<'mails'>) => ask('mails', CALLS.mails, asked),
  states: (asked: Ask<'states'>) => ask('states', CALLS.states, asked),
  unsent: (asked: Ask<'unsent'>) => ask('unsent', CALLS.unsent, asked),
  story: (asked: Ask<'story'>, signal: AbortSignal) => ask('story', CALLS.story, asked, signal),
  bounces: (asked: Ask<'bounces'>) => ask('bounces', CALLS.bounces, asked),
  overview: (asked: Ask<'overview'>, signal: AbortSignal) => ask('overview', CALLS.overview, asked, signal),
  send: (asked: Ask<'send'>) => ask('send', CALLS.send, asked),
  resend: (asked: Ask<'resend'>) => ask('resend', CALLS.resend, asked),
  samples: () => ask('samples', CALLS.samples, {}),
  post: (asked: Ask<'post'>) => ask('post', CALLS.post, asked),
  rowsOf: (asked: Ask<'rowsOf'>) => ask('rowsOf', CALLS.rowsOf, asked),
};

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
