/** Writes the functions' log, and selects what it may say of an error. */

/**
 * Writes one structured line to the function's log. It may have counts, ids and durations, and never a secret, an
 * address, or a part of a mail or a post. Writes to stdout, because the runtime adds a prefix to the lines of
 * `console.log`.
 */
export function log(
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  process.stdout.write(`${JSON.stringify({ level, message, ...fields })}\n`);
}

/** The kind of an error, without its message: messages of the SDK and of JSON.parse quote what they were given. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** An error whose message may be logged: it quotes nothing but ids, numbers and times. */
export class LoggableError extends Error {
  override readonly name: string = 'LoggableError';
}

/** What the log may say of an error. An HTTP status is AWS's answer; a `code` such as ECONNRESET means that there was none. */
export function errorFields(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof LoggableError) return { error: error.message };
  const code = fieldOf(error, 'code');
  const httpStatus = fieldOf(fieldOf(error, '$metadata'), 'httpStatusCode');
  return {
    error: errorName(error),
    code: typeof code === 'string' ? code : undefined,
    httpStatus: typeof httpStatus === 'number' ? httpStatus : undefined,
  };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
