/** The construct of record-events, which records the posts in EventQueue. */
import { Duration, Stack } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { LogDefaults } from './encrypted-log-group.ts';
import type { Queues } from './queues.ts';
import type { Settings } from './settings.ts';
import type { Storage } from './storage.ts';
import { TodokeFunction } from './todoke-function.ts';

export interface EventRecorderProps {
  readonly defaults: LogDefaults;
  readonly settings: Settings;
  readonly storage: Storage;
  readonly queues: Queues;
}

export class EventRecorder extends Construct {
  readonly record: TodokeFunction;

  constructor(scope: Construct, id: string, props: EventRecorderProps) {
    super(scope, id);
    const { defaults, settings, storage, queues } = props;
    this.record = new TodokeFunction(this, 'RecordEvents', {
      defaults,
      entry: 'lambda/record-events.ts',
      description: 'Records what the webhooks report: joins each event with its mail',
      timeout: Duration.minutes(1),
      environment: {
        STACK_NAME: Stack.of(this).stackName,
        SENT_LOG_TABLE: storage.sentLog.tableName,
        BOUNCE_TABLE: storage.bounce.tableName,
        RETENTION_DAYS: String(settings.retentionDays),
        CUSTOMERS_MAIL_CLOUD_TIME_ZONE: settings.customersMailCloudTimeZone,
      },
    });
    const { record } = this;
    storage.grant(record, storage.sentLog, 'BatchGetItem', 'BatchWriteItem', 'PutItem');
    storage.grant(record, storage.bounce, 'BatchWriteItem', 'PutItem');
    queues.grantConsume(record, queues.events);
    new EventSourceMapping(record, 'Queue', {
      target: record,
      eventSourceArn: queues.events.queueArn,
      batchSize: 10,
      maxConcurrency: settings.recordEventsMaximumConcurrency,
      reportBatchItemFailures: true,
    });
  }
}
