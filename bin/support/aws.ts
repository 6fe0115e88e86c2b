/** Tells outputs of local mode from those of AWS, and sets up clients for either. */
import { CLIENT_SETTINGS } from '../../lambda/aws/clients.ts';
import type { StackOutputs } from './outputs.ts';

/** Local mode accepts any. DynamoDB Local accepts only letters and digits in a key id. */
const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };
const LOCAL_REGION = 'ap-northeast-1';

/**
 * What a client of one of AWS's services is made with: of local mode, where the outputs are its; else credentials and region
 * are those of the environment.
 *
 * @throws Error where the outputs are of a local mode that does not answer for the service: never ask AWS in its place
 */
export function clientSettings(outputs: StackOutputs, service: 'DynamoDbEndpoint' | 'AwsApiEndpoint') {
  const { logger } = CLIENT_SETTINGS;
  if (!isLocal(outputs)) return { logger };
  const endpoint = outputs[service];
  if (endpoint === undefined) {
    throw new Error(
      `Cannot use these outputs: they have no ${service}. Start local mode again, and wait until it is ready`,
    );
  }
  return {
    endpoint,
    region: process.env['AWS_REGION'] ?? LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    logger,
  };
}

/** Whether the outputs are those of `npm start`, which has stand-ins for AWS. */
export function isLocal(outputs: StackOutputs): boolean {
  return (outputs.DynamoDbEndpoint ?? outputs.AwsApiEndpoint ?? outputs.SendGridApiUrl) !== undefined;
}

/** The beginning of a line, for the shell that most have on that platform, by which the AWS CLI asks local mode's tables. */
export function localAwsCli(endpoint: string | undefined, platform: string = process.platform): string {
  const { accessKeyId, secretAccessKey } = LOCAL_CREDENTIALS;
  const variables = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const set = Object.entries(variables).map(([name, value]) =>
    platform === 'win32' ? `$env:${name}='${value}'; ` : `${name}=${value} `,
  );
  return `${set.join('')}aws dynamodb --region ${LOCAL_REGION} --endpoint-url ${endpoint}`;
}
