/** The settings of all AWS clients of the functions. */
import type { SQSClientConfig } from '@aws-sdk/client-sqs';

/**
 * By default the SDK copies the input and the output of every request for `logger.info`. These copies took a quarter of
 * the CPU time of recording. With a logger that has no `info` and no `error` the SDK makes none. Warnings are still
 * printed.
 */
const WARNINGS_ONLY = { debug() {}, warn: console.warn } as NonNullable<SQSClientConfig['logger']>;

/** Short timeouts: one attempt of a call takes at most three seconds, even if its connection hangs. */
export const CLIENT_SETTINGS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
  logger: WARNINGS_ONLY,
} as const;
