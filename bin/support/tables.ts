import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { clientSettings } from './aws.ts';
import type { StackOutputs } from './outputs.ts';

/** The tables of a stack: of local mode, or in AWS. */
export function tablesOf(outputs: StackOutputs): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(new DynamoDBClient(clientSettings(outputs, 'DynamoDbEndpoint')), {
    marshallOptions: { removeUndefinedValues: true },
  });
}
