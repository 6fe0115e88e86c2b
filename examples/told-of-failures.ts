/**
 * A stack of your own, beside Todoke's, that notifies of failures in three ways: a mail to a person (SNS), a message
 * for an application (SQS), and a line in a Slack channel (an API destination). Copy the rule that you need. To
 * deploy all:
 *
 *     npx cdk deploy --app 'npx tsx examples/told-of-failures.ts' -c email=you@example.com -c slackChannel=C0123456789
 *
 * The secret `slack-bot-token` in Secrets Manager must hold `Bearer xoxb-…`, a Slack token with the scope
 * chat:write.
 */
import { App, SecretValue, Stack } from 'aws-cdk-lib';
import {
  ApiDestination,
  Authorization,
  Connection,
  EventField,
  type IApiDestination,
  Rule,
  RuleTargetInput,
} from 'aws-cdk-lib/aws-events';
import {
  ApiDestination as ApiDestinationTarget,
  SnsTopic,
  type SnsTopicProps,
  SqsQueue,
} from 'aws-cdk-lib/aws-events-targets';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** The Todoke stack to listen to. Each of its events contains this name. */
const STACK_NAME = 'Todoke';

const FAILURES = ['Mail Bounced', 'Mail Dropped', 'Mail Failed', 'Mail Complained'];

export class ToldOfFailures extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    const setting = (name: string, value: string) => String(this.node.tryGetContext(name) ?? value);
    // Gets the events that could not be delivered to a target within a day.
    const deadLetterQueue = new Queue(this, 'NotDelivered', { enforceSSL: true });
    const field = (name: string) => EventField.fromPath(`$.detail.${name}`);

    // A person is notified of each complaint, and of each event that Todoke does not know.
    const topic = new Topic(this, 'Topic', { enforceSSL: true });
    topic.addSubscription(new EmailSubscription(setting('email', 'you@example.com')));
    const words = `${EventField.fromPath('$.detail-type')}: ${field('toEmail')}, "${field('subject')}", ${field('occurredAt')}`;
    const inMail: SnsTopicProps = { message: RuleTargetInput.fromText(words), deadLetterQueue };
    new Rule(this, 'ForAPerson', {
      eventPattern: {
        source: ['todoke'],
        detailType: ['Mail Complained', 'Event Unrecognized'],
        detail: { stackName: [STACK_NAME] },
      },
      targets: [new SnsTopic(topic, inMail)],
    });

    // An application gets the `detail` of each failure, as soon as the failure is joined with its message.
    const queue = new Queue(this, 'Failures', { enforceSSL: true });
    new Rule(this, 'ForAnApplication', {
      eventPattern: {
        source: ['todoke'],
        detailType: FAILURES,
        detail: { stackName: [STACK_NAME], matched: [true] },
      },
      targets: [new SqsQueue(queue, { message: RuleTargetInput.fromEventPath('$.detail'), deadLetterQueue })],
    });

    // A Slack channel gets a line for each hard bounce.
    const connection = new Connection(this, 'SlackConnection', {
      authorization: Authorization.apiKey('Authorization', SecretValue.secretsManager('slack-bot-token')),
    });
    const slack = new ApiDestination(this, 'Slack', {
      connection,
      endpoint: 'https://slack.com/api/chat.postMessage',
      // Slack accepts about one message a second for a channel.
      rateLimitPerSecond: 1,
    });
    const line = {
      channel: setting('slackChannel', 'C0123456789'),
      text: `${field('toEmail')} does not get "${field('subject')}": ${field('reason')}`,
    };
    new Rule(this, 'ForSlack', {
      eventPattern: {
        source: ['todoke'],
        detailType: ['Mail Bounced'],
        detail: { stackName: [STACK_NAME], matched: [true], bounceClass: ['hard'] },
      },
      targets: [
        // The cast: with exactOptionalPropertyTypes, ApiDestination does not fit its own interface.
        new ApiDestinationTarget(slack as IApiDestination, {
          event: RuleTargetInput.fromObject(line),
          deadLetterQueue,
        }),
      ],
    });
  }
}

new ToldOfFailures(new App(), 'ToldOfFailures');
