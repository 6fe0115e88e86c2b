/** Nothing but the SDK's clients and commands that receive-customers-mail-cloud uses. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { BatchGetCommand, BatchWriteCommand, DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';

const client = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const secrets = new SecretsManagerClient({});
const queue = new SQSClient({});

export const handler = () => [
  client,
  secrets,
  queue,
  BatchGetCommand,
  BatchWriteCommand,
  PutCommand,
  GetSecretValueCommand,
  SendMessageCommand,
];
