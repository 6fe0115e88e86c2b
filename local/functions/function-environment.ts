/** A function's environment variables. */
import { devNull } from 'node:os';
import { SDK_WARNING_OFF } from '../database/dynamodb-clients.ts';

/** Everything that connects the functions to this machine. */
export interface FunctionWiring {
  readonly region: string;
  readonly dynamoDbEndpoint: string;
  /** Where Secrets Manager, SQS and EventBridge are answered. */
  readonly awsApiOrigin: string;
  /** A file of certificates that are trusted besides the public ones. */
  readonly extraCaCertificates?: string;
  /** Values that replace the template's. A function gets only those whose names the template sets for it. */
  readonly overrides: Readonly<Record<string, string>>;
}

interface FunctionEnvironmentOptions {
  readonly logicalId: string;
  readonly name: string;
  readonly handler: string;
  readonly runtime: string;
  readonly memoryMb: number;
  readonly taskRoot: string;
  /** The template's. */
  readonly variables: Readonly<Record<string, string>>;
  readonly wiring: FunctionWiring;
}

/**
 * The whole environment of a function: what the template gives it, what Lambda sets, and the local wiring. Only PATH and
 * the region come from the shell that started local mode, so that a function cannot depend on that shell.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 */
export function functionEnvironment(options: FunctionEnvironmentOptions): Record<string, string> {
  const { logicalId, name, variables, wiring } = options;
  const overridden = Object.entries(wiring.overrides).filter(([variable]) => variable in variables);
  return {
    ...variables,
    ...Object.fromEntries(overridden),

    _HANDLER: options.handler,
    AWS_DEFAULT_REGION: wiring.region,
    AWS_EXECUTION_ENV: `AWS_Lambda_${options.runtime}`,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(options.memoryMb),
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
    AWS_REGION: wiring.region,
    LAMBDA_TASK_ROOT: options.taskRoot,
    LANG: 'en_US.UTF-8',
    PATH: process.env['PATH'] ?? '',
    TZ: ':UTC',

    // Each function has its own key id, so that a proxy in front of the engine knows which function calls.
    AWS_ACCESS_KEY_ID: logicalId,
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_SESSION_TOKEN: 'local',
    AWS_ENDPOINT_URL_DYNAMODB: wiring.dynamoDbEndpoint,
    AWS_ENDPOINT_URL_EVENTBRIDGE: wiring.awsApiOrigin,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: wiring.awsApiOrigin,
    AWS_ENDPOINT_URL_SQS: wiring.awsApiOrigin,
    // No AWS profile of the developer is read.
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    ...(wiring.extraCaCertificates !== undefined && { NODE_EXTRA_CA_CERTS: wiring.extraCaCertificates }),
    ...SDK_WARNING_OFF,
  };
}
