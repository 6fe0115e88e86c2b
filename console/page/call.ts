/** The server's calls, as functions. */
import type * as z from 'zod/mini';
import { type Asked, CALLS, type CallName, CONSOLE_HEADER } from '../shared/api.ts';
import { tokenHeader, tokenIsRefused } from './token.ts';

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
  });
  const body: unknown = await answer.json();
  if (answer.ok) return response.parse(body);
  if (answer.status === 401) tokenIsRefused();
  const isObject = typeof body === 'object' && body !== null && 'error' in body;
  throw new Error(isObject ? String(body.error) : `Cannot ask for ${name}: the answer is ${answer.status}`);
}

/** The server, call by call. @throws Error in the server's words */
export const server = {
  session: () => ask('session', CALLS.session, {}),
  mails: (asked: Asked<'mails'>) => ask('mails', CALLS.mails, asked),
  states: (asked: Asked<'states'>) => ask('states', CALLS.states, asked),
  unsent: (asked: Asked<'unsent'>) => ask('unsent', CALLS.unsent, asked),
  story: (asked: Asked<'story'>, signal: AbortSignal) => ask('story', CALLS.story, asked, signal),
  bounces: (asked: Asked<'bounces'>) => ask('bounces', CALLS.bounces, asked),
  overview: (asked: Asked<'overview'>, signal: AbortSignal) => ask('overview', CALLS.overview, asked, signal),
  send: (asked: Asked<'send'>) => ask('send', CALLS.send, asked),
  resend: (asked: Asked<'resend'>) => ask('resend', CALLS.resend, asked),
  samples: () => ask('samples', CALLS.samples, {}),
  post: (asked: Asked<'post'>) => ask('post', CALLS.post, asked),
  rowsOf: (asked: Asked<'rowsOf'>) => ask('rowsOf', CALLS.rowsOf, asked),
};

/** What an unknown thrown value says. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
