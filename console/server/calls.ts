/** The calls of the page, with their handlers. */
import type * as z from 'zod/mini';
import type { Tables } from '../../lambda/recipients/tables.ts';
import { CALLS, type CallName, type Role, type Session } from '../shared/api.ts';
import { bounces } from './bounces.ts';
import { forget } from './forget.ts';
import { mails, story, unsent } from './mails.ts';
import { overview } from './overview.ts';
import { decideOn, recipient, search } from './recipients.ts';
import { Refused } from './refused.ts';
import { resendMail } from './sending.ts';

/** Checks the request, and answers it. */
type Handle = (body: unknown) => Promise<unknown>;
export type Handlers = ReadonlyMap<CallName, Handle>;

/** The calls of readers and operators. */
export const teamCalls = (tables: Tables, session: () => Session): Handlers =>
  new Map([
    on('session', CALLS.session, async () => session()),
    on('mails', CALLS.mails, (asked) => mails(tables, asked)),
    on('unsent', CALLS.unsent, (asked) => unsent(tables, asked)),
    on('story', CALLS.story, (asked) => story(tables, asked)),
    on('bounces', CALLS.bounces, (asked) => bounces(tables, asked)),
    on('recipient', CALLS.recipient, (asked) => recipient(tables, asked)),
    on('search', CALLS.search, (asked) => search(tables, asked)),
    on('overview', CALLS.overview, (asked) => overview(tables, asked)),
    on('decide', CALLS.decide, (asked) => decideOn(tables, asked)),
    on('forget', CALLS.forget, (asked) => forget(tables, asked)),
    on('resend', CALLS.resend, (asked) => resendMail(tables, asked)),
  ]);

/** A call's name and its handler. */
export function on<Asks, Answers>(
  name: CallName,
  { request }: { readonly request: z.ZodMiniType<Asks>; readonly response: z.ZodMiniType<Answers> },
  run: (asked: Asks) => Promise<Answers>,
): [CallName, Handle] {
  const handle = async (body: unknown): Promise<unknown> => {
    const asked = request.safeParse(body);
    if (asked.success) return run(asked.data);
    throw new Refused(400, `Cannot answer ${name}: ${asked.error.issues[0]?.message ?? 'it cannot be read'}`);
  };
  return [name, handle];
}

/** The call of that name, if there is one. */
export const callNamed = (name: string): CallName | undefined =>
  Object.hasOwn(CALLS, name) ? (name as CallName) : undefined;

/** @throws Refused 403 if none of the roles may make the call */
export function refuseWithoutRole(name: CallName, roles: ReadonlySet<Role>, why: string): void {
  if (!roles.has(CALLS[name].role)) throw new Refused(403, `Cannot answer ${name}: ${why}`);
}
