/** Reads secrets, and keeps them for a minute. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type * as z from 'zod/mini';
import { CLIENT_SETTINGS } from './clients.ts';
import { errorFields, errorName, LoggableError, log } from './log.ts';

/** Thrown if a secret cannot be read. The message says why, and contains no part of the secret. */
export class UnreadableSecret extends LoggableError {
  override readonly name = 'UnreadableSecret';
  /** Whether a later read may succeed, because Secrets Manager did not answer. Otherwise somebody must fix the value. */
  readonly temporary: boolean;

  constructor(message: string, options: ErrorOptions & { temporary?: boolean } = {}) {
    super(message, options);
    this.temporary = options.temporary ?? false;
  }
}

/** A changed secret is in use everywhere after this time. */
const MAX_AGE_MS = 60_000;
/** Pause after a failed renewal, while the cached value stays in use. */
const RETRY_AFTER_MS = 10_000;
/** Read timeout if there is a cached value to fall back on. */
const RENEWAL_MS = 1_500;
/** Read timeout if there is no cached value. It leaves a receiver enough time to answer. */
const FIRST_READ_MS = 5_000;

/**
 * Reads a secret, keeps it in memory, and reads it again when it is a minute old. If Secrets Manager does not answer
 * then, or the value does not match the schema, the last value stays in use.
 *
 * @param nameOrArn of the secret
 * @throws UnreadableSecret if there is no last value
 */
export function cachedSecret<Schema extends z.ZodMiniType>(
  nameOrArn: string,
  schema: Schema,
): () => Promise<z.infer<Schema>> {
  const client = new SecretsManagerClient(CLIENT_SETTINGS);
  let cached: { readonly value: z.infer<Schema> } | undefined;
  let readAgainAtMs = 0;
  return async () => {
    if (cached && Date.now() < readAgainAtMs) return cached.value;
    try {
      const abortSignal = AbortSignal.timeout(cached ? RENEWAL_MS : FIRST_READ_MS);
      const answer = await client.send(new GetSecretValueCommand({ SecretId: nameOrArn }), { abortSignal });
      cached = { value: parse(answer.SecretString ?? '', schema) };
      readAgainAtMs = Date.now() + MAX_AGE_MS;
    } catch (error) {
      if (!cached) {
        if (error instanceof UnreadableSecret) throw error;
        throw new UnreadableSecret(`Secrets Manager did not return it (${errorName(error)})`, {
          cause: error,
          temporary: true,
        });
      }
      readAgainAtMs = Date.now() + RETRY_AFTER_MS;
      log('warn', 'Cannot read a secret again: its last value stays in use', errorFields(error));
    }
    return cached.value;
  };
}

/** Parses a secret. Its errors replace those of JSON.parse and zod, which may quote the secret. */
function parse<Schema extends z.ZodMiniType>(text: string, schema: Schema): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UnreadableSecret('its value is not JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const places = result.error.issues.map(({ path }) => path.join('.') || 'the whole value').join(', ');
  throw new UnreadableSecret(`its value is not of the documented shape at ${places}`);
}
