/** The context of all checks: the stack, and clients for it. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { documentClient } from '../../../lambda/aws/dynamodb.ts';
import { clientSettings, isLocal } from '../aws.ts';
import type { Stack } from '../outputs.ts';
import { SendGridApi } from '../sendgrid-api.ts';

/** The stack that the doctor checks, and the clients that it uses. */
export interface DoctorContext extends Stack {
  readonly local: boolean;
  readonly dynamo: DynamoDBClient;
  readonly client: DynamoDBDocumentClient;
  /** Has a key that may edit webhooks; undefined if none is given. */
  readonly sendGrid: SendGridApi | undefined;
  /** How many days back Bounce rows are checked; 0 for none. */
  readonly days: number;
}

export interface DoctorOptions {
  readonly webhookKey: string;
  readonly days: number;
}

export function doctorContext(stack: Stack, { webhookKey, days }: DoctorOptions): DoctorContext {
  const dynamo = new DynamoDBClient(clientSettings(stack.outputs, 'DynamoDbEndpoint'));
  return {
    ...stack,
    local: isLocal(stack.outputs),
    dynamo,
    client: documentClient(dynamo),
    sendGrid: webhookKey === '' ? undefined : new SendGridApi(stack.outputs, webhookKey),
    days,
  };
}
