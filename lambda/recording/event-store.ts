/** The two tables in which events are recorded, with their client. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../aws/dynamodb.ts';
import { environmentVariable } from '../aws/environment.ts';

export interface EventStore {
  readonly client: DynamoDBDocumentClient;
  readonly sentLogTable: string;
  readonly bounceTable: string;
}

/** The tables that this function's environment variables name. */
export function eventStore(client = documentClient()): EventStore {
  return {
    client,
    sentLogTable: environmentVariable('SENT_LOG_TABLE'),
    bounceTable: environmentVariable('BOUNCE_TABLE'),
  };
}
