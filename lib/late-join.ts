/** The construct of join-late-events, which completes failures that were recorded before their mail was logged. */
import { Duration } from 'aws-cdk-lib';
import { FilterRule } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { LOG_ROW_ENTRY } from '../lambda/recording/entries.ts';
import type { LogDefaults } from './encrypted-log-group.ts';
import type { Queues } from './queues.ts';
import { readStream } from './read-stream.ts';
import type { Settings } from './settings.ts';
import type { Storage } from './storage.ts';
import { TodokeFunction } from './todoke-function.ts';

export interface LateJoinProps {
  readonly defaults: LogDefaults;
  readonly settings: Settings;
  readonly storage: Storage;
  readonly queues: Queues;
}

export class LateJoin extends Construct {
  readonly join: TodokeFunction;

  constructor(scope: Construct, id: string, props: LateJoinProps) {
    super(scope, id);
    const { defaults, settings, storage, queues } = props;

    this.join = new TodokeFunction(this, 'JoinLateEvents', {
      defaults,
      entry: 'lambda/join-late-events.ts',
      description: 'Completes the failures that were recorded before their mail was logged',
      timeout: Duration.minutes(1),
      environment: {
        SENT_LOG_TABLE: storage.sentLog.tableName,
        BOUNCE_TABLE: storage.bounce.tableName,
        RETENTION_DAYS: String(settings.retentionDays),
      },
    });
    const { join } = this;
    storage.grant(join, storage.sentLog, 'Query', 'UpdateItem');
    storage.grant(join, storage.bounce, 'UpdateItem');

    readStream(join, storage.sentLog, {
      storage,
      queues,
      filters: [
        {
          eventName: FilterRule.isEqual('INSERT'),
          dynamodb: { NewImage: { entry: { S: FilterRule.isEqual(LOG_ROW_ENTRY) } } },
        },
        // An application that puts its log row again deletes the attributes that were added to it.
        {
          eventName: FilterRule.isEqual('MODIFY'),
          dynamodb: {
            NewImage: { entry: { S: FilterRule.isEqual(LOG_ROW_ENTRY) }, day: { S: FilterRule.notExists() } },
          },
        },
      ],
    });
  }
}
