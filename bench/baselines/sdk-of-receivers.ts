/** The SDK's clients and commands that both receivers use, and nothing else. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

const secrets = new SecretsManagerClient({});
const queue = new SQSClient({});

export const handler = () => [secrets, queue, GetSecretValueCommand, SendMessageCommand];
