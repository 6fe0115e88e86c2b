/** The settings of all AWS clients of the functions. */
import type { SQSClientConfig } from '@aws-sdk/client-sqs';

/**
 * The SDK copies the input and the output of every request for `logger.info`, also if nobody set a logger. A logger
 * without `info` and `error` saves the copies: a quarter of the CPU time of recording. Warnings go where they go by default.
 */
const WARNINGS_ONLY = { debug() {}, warn: console.warn } as NonNullable<SQSClientConfig['logger']>;

/** Short timeouts: a connection that hangs never outlives a request. */
export const CLIENT_SETTINGS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
  logger: WARNINGS_ONLY,
} as const;
