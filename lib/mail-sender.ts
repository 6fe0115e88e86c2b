/** The construct of send-mail, which sends and logs the items that are put into the Mail table. */
import { Duration, Stack } from 'aws-cdk-lib';
import { EventSourceMapping, FilterRule } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { LogDefaults } from './encrypted-log-group.ts';
import type { Queues } from './queues.ts';
import { readStream } from './read-stream.ts';
import type { Secrets } from './secrets.ts';
import { SENDGRID_API_URLS, type Settings } from './settings.ts';
import type { Storage } from './storage.ts';
import { TodokeFunction } from './todoke-function.ts';

/** Limit for invocations by RetryQueue at the same time, so that a provider that recovers is not flooded. */
const RETRY_CONCURRENCY = 5;

export interface MailSenderProps {
  readonly defaults: LogDefaults;
  readonly settings: Settings;
  readonly storage: Storage;
  readonly secrets: Secrets;
  readonly queues: Queues;
}

export class MailSender extends Construct {
  readonly send: TodokeFunction;

  constructor(scope: Construct, id: string, props: MailSenderProps) {
    super(scope, id);
    const { defaults, settings, storage, secrets, queues } = props;

    this.send = new TodokeFunction(this, 'SendMail', {
      defaults,
      entry: 'lambda/send-mail.ts',
      description: 'Sends the items of the Mail table that have no status',
      timeout: Duration.minutes(3),
      environment: {
        STACK_NAME: Stack.of(this).stackName,
        MAIL_TABLE: storage.mail.tableName,
        SENT_LOG_TABLE: storage.sentLog.tableName,
        BOUNCE_TABLE: storage.bounce.tableName,
        RETRY_QUEUE_URL: queues.retries.queueUrl,
        SENDER_SECRET: secrets.sender.secretArn,
        RETENTION_DAYS: String(settings.retentionDays),
        SUPPRESSION: settings.suppression,
        SENDGRID_API_URL: SENDGRID_API_URLS[settings.sendgridRegion],
      },
    });
    const { send } = this;
    storage.grant(send, storage.mail, 'UpdateItem');
    storage.grant(send, storage.sentLog, 'PutItem');
    storage.grant(send, storage.bounce, 'PutItem');
    if (settings.suppression === 'on') storage.grantBouncesByRecipient(send);
    secrets.grantRead(send, secrets.sender);
    queues.grantSend(send, queues.retries);
    queues.grantConsume(send, queues.retries);
    new EventSourceMapping(send, 'RetryQueue', {
      target: send,
      eventSourceArn: queues.retries.queueArn,
      batchSize: 10,
      maxConcurrency: RETRY_CONCURRENCY,
      reportBatchItemFailures: true,
    });

    readStream(send, storage.mail, {
      storage,
      queues,
      // A missing status and a NULL have no `S`. If a person empties the field in the DynamoDB console, it has an empty
      // `S`. The filter requires `id`, because a deleted item has no NewImage, and would match without it.
      filters: [FilterRule.notExists(), FilterRule.empty()].map((waiting) => ({
        dynamodb: { NewImage: { id: { S: FilterRule.exists() }, status: { S: waiting } } },
      })),
    });
  }
}
