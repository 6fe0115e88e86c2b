/**
 * The construct of publish-failures, which publishes failures, and joins unmatched rows whose mail is logged by now.
 */
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { OUTCOMES } from '../lambda/mail/verdict.ts';
import type { LogDefaults } from './encrypted-log-group.ts';
import type { Queues } from './queues.ts';
import { readStream } from './read-stream.ts';
import type { Settings } from './settings.ts';
import type { Storage } from './storage.ts';
import { TodokeFunction } from './todoke-function.ts';

export interface FailurePublisherProps {
  readonly defaults: LogDefaults;
  readonly settings: Settings;
  readonly storage: Storage;
  readonly queues: Queues;
}

export class FailurePublisher extends Construct {
  readonly publish: TodokeFunction;

  constructor(scope: Construct, id: string, props: FailurePublisherProps) {
    super(scope, id);
    const { defaults, settings, storage, queues } = props;
    const stack = Stack.of(this);
    const publishes = settings.publishFailures === 'on';

    this.publish = new TodokeFunction(this, 'PublishFailures', {
      defaults,
      entry: 'lambda/publish-failures.ts',
      description: 'Publishes failures on the event bus, and joins rows again that a late write made unmatched',
      timeout: Duration.minutes(1),
      environment: {
        STACK_NAME: stack.stackName,
        SENT_LOG_TABLE: storage.sentLog.tableName,
        BOUNCE_TABLE: storage.bounce.tableName,
        PUBLISH_FAILURES: settings.publishFailures,
      },
    });
    const { publish } = this;
    storage.grant(publish, storage.sentLog, 'BatchGetItem');
    storage.grant(publish, storage.bounce, 'UpdateItem');
    if (publishes) {
      const bus = { service: 'events', resource: 'event-bus', resourceName: 'default' };
      publish.addToRolePolicy(
        new PolicyStatement({
          actions: ['events:PutEvents'],
          resources: [stack.formatArn({ ...bus, arnFormat: ArnFormat.SLASH_RESOURCE_NAME })],
        }),
      );
    }

    const failure = { S: OUTCOMES };
    readStream(publish, storage.bounce, {
      storage,
      queues,
      filters: [
        ...(publishes
          ? [
              // A row appears.
              { eventName: ['INSERT'], dynamodb: { NewImage: { outcome: { S: [...OUTCOMES, 'unrecognized'] } } } },
              // A row becomes matched.
              {
                dynamodb: {
                  NewImage: { outcome: failure, matched: { BOOL: [true] } },
                  OldImage: { matched: { BOOL: [false] } },
                },
              },
            ]
          : []),
        // A row is unmatched: its mail may be logged by now.
        { dynamodb: { NewImage: { outcome: failure, matched: { BOOL: [false] } } } },
      ],
    });
  }
}
