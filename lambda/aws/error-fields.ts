import * as z from 'zod/mini';
import { errorName } from './log.ts';

/** An error whose message may stand in the log: we wrote it, and it quotes nothing but ids, numbers and times. */
export class LoggableError extends Error {
  override readonly name = 'LoggableError';
}

/** An HTTP status is AWS's answer; a `code` such as ECONNRESET means that there was none. */
const codesSchema = z.object({
  code: z.catch(z.optional(z.string()), undefined),
  $metadata: z.catch(z.optional(z.object({ httpStatusCode: z.optional(z.number()) })), undefined),
});

/** What the log may say of an error. */
export function errorFields(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof LoggableError) return { error: error.message };
  const { code, $metadata } = codesSchema.safeParse(error).data ?? {};
  return { error: errorName(error), code, httpStatus: $metadata?.httpStatusCode };
}
