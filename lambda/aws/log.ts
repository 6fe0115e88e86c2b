/**
 * Writes one structured line to the function's log.
 *
 * Counts, ids and durations only: never a secret, an address, or a part of a mail or a post. Straight to the stream,
 * because `console.log` puts a prefix of the runtime's before it.
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
