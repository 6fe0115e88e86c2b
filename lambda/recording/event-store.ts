/** Where the story of a mail is kept: both sides of the join, and the sender, write there. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../aws/dynamodb.ts';
import { environmentVariable } from '../aws/environment.ts';

/** The two tables in which events are recorded. */
export interface EventStore {
  readonly client: DynamoDBDocumentClient;
  readonly sentLogTable: string;
  readonly bounceTable: string;
}

/** As the stack gave them to this function. */
export function eventStore(client = documentClient()): EventStore {
  return {
    client,
    sentLogTable: environmentVariable('SENT_LOG_TABLE'),
    bounceTable: environmentVariable('BOUNCE_TABLE'),
  };
}
