/** Whether outputs are local mode's, and the clients for either. */
import type { StackOutputs } from './outputs.ts';

/**
 * What a client of one of AWS's services is made with: of local mode, where the outputs are its, else nothing, so that
 * credentials and region are those of the environment.
 *
 * @throws Error where the outputs are of a local mode that does not answer for the service: never ask AWS in its place
 */
export function clientSettings(outputs: StackOutputs, service: 'DynamoDbEndpoint' | 'AwsApiEndpoint') {
  if (!isLocal(outputs)) return {};
  const endpoint = outputs[service];
  if (endpoint === undefined) {
    throw new Error(
      `Cannot use these outputs: they have no ${service}. Start local mode again, and wait until it is ready`,
    );
  }
  return {
    endpoint,
    region: process.env['AWS_REGION'] ?? 'ap-northeast-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
}

/** Whether the outputs are those of `npm start`: only there is something that stands in for AWS. */
export function isLocal(outputs: StackOutputs): boolean {
  return (outputs.DynamoDbEndpoint ?? outputs.AwsApiEndpoint ?? outputs.SendGridApiUrl) !== undefined;
}
