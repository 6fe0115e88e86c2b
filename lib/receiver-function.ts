/** Makes the function behind a provider's webhook, with its grants and its environment. */
import { Duration, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { LogDefaults } from './encrypted-log-group.ts';
import type { Queues } from './queues.ts';
import type { Secrets } from './secrets.ts';
import type { Settings } from './settings.ts';
import { TodokeFunction } from './todoke-function.ts';

export interface ReceiverProps {
  readonly defaults: LogDefaults;
  readonly settings: Settings;
  readonly secrets: Secrets;
  readonly queues: Queues;
}

interface OwnProps {
  readonly entry: string;
  readonly description: string;
  /** Unlimited if undefined. */
  readonly reservedConcurrency: number | undefined;
}

/** The function may read the webhook secret and send to EventQueue, and nothing else. */
export function receiverFunction(
  scope: Construct,
  id: string,
  { defaults, secrets, queues }: ReceiverProps,
  { entry, description, reservedConcurrency }: OwnProps,
): TodokeFunction {
  const receive = new TodokeFunction(scope, id, {
    defaults,
    entry,
    description,
    // The function answers within 8 seconds. API Gateway waits for 29.
    timeout: Duration.seconds(29),
    environment: {
      STACK_NAME: Stack.of(scope).stackName,
      WEBHOOK_SECRET: secrets.webhook.secretArn,
      EVENT_QUEUE_URL: queues.events.queueUrl,
    },
    ...(reservedConcurrency !== undefined && { reservedConcurrentExecutions: reservedConcurrency }),
  });
  secrets.grantRead(receive, secrets.webhook);
  queues.grantSend(receive, queues.events);
  return receive;
}
