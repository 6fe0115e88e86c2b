/** Tells outputs of local mode from those of AWS, and sets up clients for either. */
import { CLIENT_SETTINGS } from '../../lambda/aws/clients.ts';
import type { StackOutputs } from './outputs.ts';

/** Local mode accepts any credentials. DynamoDB Local accepts only letters and digits in a key id. */
const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };
const LOCAL_REGION = 'ap-northeast-1';

/**
 * The configuration of an AWS client. For the outputs of local mode it names local mode's endpoint. Otherwise the SDK takes
 * credentials and region from the environment.
 *
 * @throws Error if the outputs are local mode's and lack the endpoint. AWS is never called instead.
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

/** The beginning of an AWS CLI command for local mode's tables, for PowerShell on Windows and a POSIX shell elsewhere. */
export function localAwsCli(endpoint: string | undefined, platform: string = process.platform): string {
  const { accessKeyId, secretAccessKey } = LOCAL_CREDENTIALS;
  const variables = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const set = Object.entries(variables).map(([name, value]) =>
    platform === 'win32' ? `$env:${name}='${value}'; ` : `${name}=${value} `,
  );
  return `${set.join('')}aws dynamodb --region ${LOCAL_REGION} --endpoint-url ${endpoint}`;
}
