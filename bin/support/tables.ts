import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { StackOutputs } from './outputs.ts';

/**
 * The tables of a stack: of local mode, where its outputs name a DynamoDB endpoint, else in AWS, with the credentials and
 * the region of the environment.
 */
export function tablesOf(outputs: StackOutputs): DynamoDBDocumentClient {
  const local = outputs.DynamoDbEndpoint !== undefined && {
    endpoint: outputs.DynamoDbEndpoint,
    region: process.env['AWS_REGION'] ?? 'ap-northeast-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  return DynamoDBDocumentClient.from(new DynamoDBClient(local || {}), {
    marshallOptions: { removeUndefinedValues: true },
  });
}
