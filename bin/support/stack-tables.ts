/** The tables of a stack, for the commands. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../../lambda/aws/dynamodb.ts';
import type { Tables } from '../../lambda/recipients/tables.ts';
import { clientSettings } from './aws.ts';
import type { StackOutputs } from './outputs.ts';

/** A client for the tables of a stack: of local mode, or in AWS. */
export function documentClientOf(outputs: StackOutputs): DynamoDBDocumentClient {
  return documentClient(new DynamoDBClient(clientSettings(outputs, 'DynamoDbEndpoint')));
}

/** The tables of a stack, with a client for them. */
export const tablesOf = (outputs: StackOutputs): Tables => tablesWith(outputs, documentClientOf(outputs));

export const tablesWith = (outputs: StackOutputs, client: DynamoDBDocumentClient): Tables => ({
  client,
  noNewsHours: outputs.NoNewsHours,
  mail: outputs.MailTableName,
  sentLog: outputs.SentLogTableName,
  bounce: outputs.BounceTableName,
});
