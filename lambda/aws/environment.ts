/** The environment variables of the functions. lib/ sets all but the last, which Lambda sets. */
export type EnvironmentVariable =
  | 'STACK_NAME'
  | 'MAIL_TABLE'
  | 'SENT_LOG_TABLE'
  | 'BOUNCE_TABLE'
  | 'WEBHOOK_SECRET'
  | 'SENDER_SECRET'
  | 'EVENT_QUEUE_URL'
  | 'RETRY_QUEUE_URL'
  | 'RETENTION_DAYS'
  | 'PUBLISH_FAILURES'
  | 'CUSTOMERS_MAIL_CLOUD_TIME_ZONE'
  | 'SENDGRID_API_URL'
  | 'SUPPRESSION'
  | 'NO_NEWS_HOURS'
  | 'CONSOLE_ISSUER'
  | 'CONSOLE_CLIENT_ID'
  | 'CONSOLE_TEAM'
  | 'ACCESS_LOG_SECRET'
  | 'LAMBDA_TASK_ROOT';

/**
 * The value of an environment variable.
 *
 * @throws Error if it is not set. That is a fault of the stack, never of a request
 */
export function environmentVariable(name: EnvironmentVariable): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`Cannot start: the environment variable ${name} is not set`);
  return value;
}
